//! A shop with a history, and archives of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::Client;

use crate::support::check::{run, value};
use crate::support::tools::{client_program, run_quietly};
use crate::support::{Cluster, violations};

pub const SHOP: &str = "shop";

/// Tables of every kind, with a ledger, refunds, payouts, folded and not, and a row in quarantine.
const HISTORY: &str = "
    SELECT affiliate_set_program('euro', rate => 0.1, currency => 'EUR');
    CREATE TABLE orders (id int PRIMARY KEY, customer text, total numeric, at timestamptz DEFAULT now());
    CREATE TABLE refunds (id int PRIMARY KEY, order_id int, amount numeric);
    CREATE TABLE parts (id int PRIMARY KEY, customer text, amount numeric) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000000);
    CREATE TABLE copied (id int PRIMARY KEY, customer text, amount numeric);
    SELECT affiliate_attach_payments('orders', customer => 'customer', amount => 'total', paid_at => 'at');
    SELECT affiliate_attach_refunds('refunds', payments => 'orders', payment_key => 'order_id',
        refund_key => 'id', amount => 'amount');
    SELECT affiliate_attach_payments('parts', customer => 'customer', amount => 'amount', program => 'euro');
    SELECT affiliate_attach_payments('copied', customer => 'customer', amount => 'amount', replica => true);
    SELECT affiliate_create('alice', code => 'alice');
    SELECT affiliate_create('erika', code => 'erika', program => 'euro');
    SELECT affiliate_attribute('u', code => 'alice', attributed_at => '2024-01-01');
    SELECT affiliate_attribute('u', code => 'erika', program => 'euro', attributed_at => '2024-01-01');
    SELECT affiliate_track_click('alice', visitor => 'v');
    INSERT INTO affiliate.payment (id, customer, amount) SELECT n, 'u', n FROM generate_series(1, 50) AS n;
    INSERT INTO affiliate.payment (id, customer, amount) VALUES (51, 'u', -1);
    INSERT INTO orders SELECT n, 'u', 100 FROM generate_series(1, 20) AS n;
    INSERT INTO refunds SELECT n, n, 50 FROM generate_series(1, 5) AS n;
    INSERT INTO parts SELECT n, 'u', 100 FROM generate_series(1, 20) AS n;
    INSERT INTO copied SELECT n, 'u', 100 FROM generate_series(1, 20) AS n;
    SELECT affiliate_record_refund('parts', 1, 'r', 50);
    SELECT affiliate_record_refund('affiliate.payment', 10, 'd', 5, kind => 'dispute');
    SELECT affiliate_maintain();";

/// A payment of a referred customer in each bound table, with a key of its own.
pub fn pay(client: &mut Client, id: u32) {
    run(
        client,
        &format!(
            "INSERT INTO affiliate.payment (id, customer, amount) VALUES ({id}, 'u', 10);
             INSERT INTO orders VALUES ({id}, 'u', 10);
             UPDATE orders SET total = 20 WHERE id = {id};
             INSERT INTO refunds VALUES ({id}, {id}, 1);
             INSERT INTO parts VALUES ({id}, 'u', 10);
             INSERT INTO copied VALUES ({id}, 'u', 10);
             DELETE FROM copied WHERE id = {id};"
        ),
    );
}

pub fn shop(cluster: &Cluster) -> Client {
    let mut client = cluster.database_with_affiliate(SHOP);
    run(&mut client, HISTORY);
    run(
        &mut client,
        "CALL affiliate_run_payouts(through => current_date)",
    );
    run(&mut client, "SELECT affiliate_maintain()");
    run(&mut client, "INSERT INTO orders VALUES (21, 'u', 100)");
    client
}

/// Ledger, quarantine and figures, as text.
pub fn picture(client: &mut Client) -> String {
    value(
        client,
        "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
            SELECT c::text AS line FROM affiliate.commission c
            UNION ALL SELECT q::text FROM affiliate.quarantine q
            UNION ALL SELECT s::text FROM affiliate_stats() s) l",
    )
}

pub fn violated(client: &mut Client) -> Vec<String> {
    violations(client).into_iter().map(|v| v.check).collect()
}

/// An archive of the shop.
pub fn archive(cluster: &Cluster) -> PathBuf {
    let file = cluster.dir().join("archive");
    let mut command: Command = client_program(cluster, "pg_dump");
    let arguments = ["--format=custom", "--file"];
    run_quietly(command.args(arguments).arg(&file).arg(SHOP));
    file
}

/// The table of contents of an archive.
pub fn contents(cluster: &Cluster, archive: &Path) -> Vec<String> {
    let list = run_quietly(
        client_program(cluster, "pg_restore")
            .arg("--list")
            .arg(archive),
    );
    let lines = list.lines().filter(|line| !line.starts_with(';'));
    lines.map(str::to_owned).collect()
}

pub fn restore(cluster: &Cluster, database: &str, archive: &Path) -> Command {
    let mut command = client_program(cluster, "pg_restore");
    command
        .args(["--exit-on-error", "--dbname", database])
        .arg(archive);
    command
}

/// `pg_restore` of what a table of contents lists, in its order.
pub fn restore_listed(
    cluster: &Cluster,
    database: &str,
    archive: &Path,
    list: &[String],
) -> Command {
    let file = cluster.dir().join("list");
    std::fs::write(&file, list.join("\n")).expect("a list");
    let mut command = restore(cluster, database, archive);
    command.arg("--use-list").arg(file);
    command
}

pub fn create(cluster: &Cluster, database: &str) -> Client {
    run(
        &mut cluster.connect(),
        &format!("CREATE DATABASE {database}"),
    );
    cluster.connect_to(database)
}

pub fn script(cluster: &Cluster, name: &str, text: &str) -> PathBuf {
    let file = cluster.dir().join(name);
    std::fs::write(&file, text).expect("a script");
    file
}
