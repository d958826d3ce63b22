//! A new cluster takes over by logical replication of the whole database, the ledger included.

mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::Client;
use support::check::{run, value};
use support::tools::{assert_same_text, pg_dump, psql_file};
use support::{Cluster, assert_verified, refusal, violations};

/// How long the new cluster may take to catch up.
const PATIENCE: Duration = Duration::from_secs(180);

const SHOP: &str = "shop";

fn cluster() -> Cluster {
    Cluster::builder()
        .loopback()
        .set("wal_level", "logical")
        .set("max_wal_senders", "50")
        .set("max_replication_slots", "50")
        .set("max_worker_processes", "30")
        .set("max_logical_replication_workers", "20")
        .set("max_sync_workers_per_subscription", "10")
        .set("wal_retrieve_retry_interval", "200ms")
        .start()
}

/// `orders` has a dropped column, so that its columns have other numbers on the new cluster.
const BEFORE: &str = "
    SELECT affiliate_set_program('default', rate => 0.2, payout_threshold => 5);
    SELECT affiliate_set_program('euro', rate => 0.1, currency => 'EUR');
    CREATE TABLE orders (gone text, id int PRIMARY KEY, customer text, total numeric, at timestamptz DEFAULT now());
    ALTER TABLE orders DROP COLUMN gone;
    CREATE TABLE refunds (id int PRIMARY KEY, order_id int, amount numeric);
    CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE copied (id int PRIMARY KEY, customer text, amount numeric);
    CREATE TABLE former (id int PRIMARY KEY, customer text, amount numeric);
    SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'total', paid_at => 'at');
    SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id',
        refund_key => 'id', amount => 'amount');
    SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', program => 'euro');
    SELECT affiliate_attach_payments('copied', customer => 'customer', amount => 'amount', replica => true);
    SELECT affiliate_attach_payments('former', customer => 'customer', amount => 'amount');
    SELECT affiliate_create('alice', code => 'alice');
    SELECT affiliate_create('erika', code => 'erika', program => 'euro');
    SELECT affiliate_attribute('u' || n, code => 'alice', attributed_at => '2024-01-01') FROM generate_series(1, 5) AS n;
    SELECT affiliate_attribute('u1', code => 'erika', program => 'euro', attributed_at => '2024-01-01');
    INSERT INTO affiliate.payment (customer, amount) SELECT 'u' || n % 7, n FROM generate_series(1, 50) AS n;
    INSERT INTO affiliate.payment (customer, amount) VALUES ('u1', -1);
    INSERT INTO orders SELECT n, 'u1', 100 FROM generate_series(1, 20) AS n;
    INSERT INTO refunds SELECT n, n, 50 FROM generate_series(1, 5) AS n;
    INSERT INTO parts SELECT n, 'u1', 100 FROM generate_series(1, 20) AS n;
    INSERT INTO copied SELECT n, 'u2', 100 FROM generate_series(1, 20) AS n;
    INSERT INTO former VALUES (1, 'u3', 10);
    DROP TABLE former;
    SELECT affiliate_maintain();";

/// What happens while the new cluster follows: everything is applied there, and nothing posted.
const MEANWHILE: &[&str] = &[
    "CALL affiliate_run_payouts(through => current_date)",
    "SELECT affiliate_set_payout_status(id, 'failed', reason => 'r') FROM affiliate.payout WHERE status = 'pending'",
    "SELECT affiliate_maintain()",
    "CALL affiliate_run_payouts(through => current_date)",
    "SELECT affiliate_set_payout_status(id, 'processing') FROM affiliate.payout WHERE status = 'pending'",
    "SELECT affiliate_set_program('default', rate => 0.5)",
    "SELECT affiliate_set_payout_threshold('default', 'EUR', 3)",
    "SELECT affiliate_create('carol', code => 'carol')",
    "SELECT affiliate_attribute('c' || n, code => 'carol', attributed_at => '2024-01-01') FROM generate_series(1, 3) AS n",
    "SELECT affiliate_deactivate_code('erika')",
    "INSERT INTO orders SELECT n, 'c1', 100 FROM generate_series(21, 30) AS n",
    "UPDATE orders SET total = total + 1 WHERE id < 10",
    "UPDATE orders SET id = id + 1000 WHERE id = 12",
    "DELETE FROM orders WHERE id = 13",
    "UPDATE refunds SET amount = 20 WHERE id = 2",
    "INSERT INTO parts SELECT n, 'u1', 50 FROM generate_series(21, 30) AS n",
    "INSERT INTO copied SELECT n, 'c2', 50 FROM generate_series(21, 30) AS n",
    "INSERT INTO affiliate.payment (customer, amount) SELECT 'c' || n % 4, n FROM generate_series(1, 20) AS n",
    "SELECT affiliate_record_refund('parts', 3, 'r', 50)",
    "SELECT affiliate_set_status('alice', 'suspended', reason => 'r')",
    "UPDATE affiliate.binding SET since = '2024-01-01' WHERE table_name = 'public.orders'",
    "SELECT affiliate_maintain()",
    "INSERT INTO orders VALUES (31, 'c1', 10)",
];

/// Everything that is replicated, as text, in the order of the keys of both.
fn content(client: &mut Client) -> String {
    let mut text = String::new();
    for table in [
        "affiliate.program",
        "affiliate.payout_threshold",
        "affiliate.affiliate",
        "affiliate.code",
        "affiliate.status_change",
        "affiliate.referral",
        "affiliate.commission",
        "affiliate.quarantine",
        "affiliate.payment",
        "affiliate.fold",
        "affiliate.total",
        "affiliate.referred",
        "affiliate.conversion",
        "affiliate.payout",
        "affiliate.payout_entry",
        "affiliate.payout_mark",
        "affiliate.payout_run",
        "affiliate.refund",
        "orders",
        "refunds",
        "parts",
        "copied",
    ] {
        let sql = format!("SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM {table} t");
        text.push_str(&format!("{table}\n{}\n", value(client, &sql)));
    }
    // the numbers of tables and columns are each cluster's own
    let bindings = "SELECT string_agg(concat_ws(',', id, payments, table_name, program, since, detached_at), E'\\n' ORDER BY id)
        FROM affiliate.binding";
    text.push_str(&value(client, bindings));
    text
}

fn wait_until_caught_up(old: &mut Client, new: &mut Client) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (there, here) = (content(old), content(new));
        if there == here {
            return;
        }
        if Instant::now() > deadline {
            assert_same_text("the new cluster and the old one", &here, &there);
        }
        sleep(Duration::from_millis(200));
    }
}

fn figures(client: &mut Client) -> String {
    value(
        client,
        "SELECT string_agg(s::text, E'\\n' ORDER BY s.code, s.currency) FROM affiliate_stats() s",
    )
}

fn violated(client: &mut Client) -> Vec<String> {
    violations(client).into_iter().map(|v| v.check).collect()
}

#[test]
fn a_new_cluster_takes_over_by_logical_replication() {
    let (old_cluster, new_cluster) = (cluster(), cluster());
    let mut old = old_cluster.database_with_affiliate(SHOP);
    run(&mut old, BEFORE);
    run(&mut old, "CREATE PUBLICATION upgrade FOR ALL TABLES");

    run(
        &mut new_cluster.connect(),
        &format!("CREATE DATABASE {SHOP}"),
    );
    let schema = new_cluster.dir().join("schema");
    let arguments = ["--schema-only", "--no-publications", "--no-subscriptions"];
    std::fs::write(&schema, pg_dump(&old_cluster, SHOP, &arguments)).expect("a script");
    psql_file(&new_cluster, SHOP, &schema);
    let mut new = new_cluster.connect_to(SHOP);
    run(
        &mut new,
        "ALTER TABLE copied DISABLE TRIGGER zzz_affiliate_row",
    );
    let subscribe = format!(
        "CREATE SUBSCRIPTION upgrade CONNECTION 'host=127.0.0.1 port={} user=postgres dbname={SHOP}'
             PUBLICATION upgrade",
        old_cluster.port()
    );
    run(&mut new, &subscribe);
    wait_until_caught_up(&mut old, &mut new);
    for statement in MEANWHILE {
        run(&mut old, statement);
    }
    wait_until_caught_up(&mut old, &mut new);

    run(&mut new, "DROP SUBSCRIPTION upgrade");
    run(
        &mut new,
        "ALTER TABLE copied ENABLE ALWAYS TRIGGER zzz_affiliate_row",
    );
    // sequences did not come along
    let refused = refusal(
        "a fold below the mark",
        new.batch_execute("SELECT affiliate_maintain()"),
    );
    assert_eq!(refused.sqlstate, "55000", "{refused:?}");
    assert!(
        violated(&mut new)
            .iter()
            .any(|check| check == "sequences_ahead")
    );
    run(&mut new, "SELECT affiliate_rebuild_figures()");
    assert_eq!(violated(&mut new), violated(&mut old));
    assert_same_text("figures", &figures(&mut new), &figures(&mut old));

    // life goes on, and goes the same way on both
    for client in [&mut old, &mut new] {
        for statement in [
            "UPDATE affiliate.payment SET amount = 1 WHERE amount < 0",
            "SELECT affiliate_create('dave', code => 'dave')",
            "SELECT affiliate_attribute('d', code => 'dave', attributed_at => '2024-01-01')",
            "INSERT INTO affiliate.payment (customer, amount) VALUES ('d', 10), ('u1', 10)",
            "INSERT INTO orders VALUES (40, 'd', 10), (41, 'c1', 10)",
            "INSERT INTO refunds VALUES (40, 41, 1)",
            "INSERT INTO parts VALUES (40, 'u1', 10)",
            "INSERT INTO copied VALUES (40, 'd', 10)",
            "SELECT affiliate_set_payout_status(id, 'failed', reason => 'r') FROM affiliate.payout WHERE status = 'processing'",
            "SELECT affiliate_set_status('alice', 'active', reason => 'r')",
            "SELECT affiliate_maintain()",
            "CALL affiliate_run_payouts(through => current_date)",
            "SELECT affiliate_detach(dropped => 'public.former')",
        ] {
            run(client, statement);
        }
        assert_verified(client);
    }
    assert_same_text("figures", &figures(&mut new), &figures(&mut old));
    let payouts = "SELECT string_agg(concat_ws(',', id, affiliate_id, currency, amount, entries, status), E'\\n' ORDER BY id)
        FROM affiliate.payout";
    assert_same_text(
        "payouts",
        &value(&mut new, payouts),
        &value(&mut old, payouts),
    );
    let entries = "SELECT string_agg(concat_ws(',', binding_id, payment_key, seq, amount), E'\\n'
        ORDER BY binding_id, payment_key, seq) FROM affiliate.commission";
    assert_same_text(
        "entries",
        &value(&mut new, entries),
        &value(&mut old, entries),
    );
}
