-- Triggers of the owner's. PostgreSQL runs them as whoever changes the table.

-- attack: row triggers of every kind
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW EXECUTE FUNCTION tattle();
CREATE TRIGGER z_after AFTER INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW EXECUTE FUNCTION tattle();
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE OR DELETE ON refunds FOR EACH ROW EXECUTE FUNCTION tattle();
CREATE TRIGGER z_after AFTER INSERT OR UPDATE OR DELETE ON refunds FOR EACH ROW EXECUTE FUNCTION tattle();

-- attack: statement triggers
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON payments FOR EACH STATEMENT EXECUTE FUNCTION tattle();
CREATE TRIGGER z_after AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON payments FOR EACH STATEMENT EXECUTE FUNCTION tattle();
CREATE TRIGGER z_after AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON refunds FOR EACH STATEMENT EXECUTE FUNCTION tattle();

-- attack: always firing
CREATE TRIGGER z_after AFTER INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW EXECUTE FUNCTION tattle();
ALTER TABLE payments ENABLE ALWAYS TRIGGER z_after;

-- attack: deferred
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE OR DELETE ON payments DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION tattle();
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR UPDATE OR DELETE ON refunds DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION tattle();

-- attack: conditions of triggers
CALL lie('is_fired(text)', 'boolean', 'false');
CREATE TRIGGER when_new BEFORE INSERT ON payments FOR EACH ROW WHEN (is_fired(new.customer)) EXECUTE FUNCTION tattle();
CREATE TRIGGER when_old AFTER UPDATE ON payments FOR EACH ROW WHEN (is_fired(old.customer)) EXECUTE FUNCTION tattle();

-- attack: that changes rows
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {s}.canary('change');
    NEW.customer := 'user-1'; NEW.amount := 1000;
    RETURN NEW;
END
$$;
CREATE TRIGGER change BEFORE INSERT OR UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION change();

-- attack: within our statement, with more payments
CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {s}.canary('more');
    IF pg_catalog.pg_trigger_depth() < 3 THEN
        UPDATE {s}.payments SET amount = amount + 1 WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER aaa_more AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION more();
CREATE TRIGGER zzz_more AFTER UPDATE ON payments FOR EACH ROW WHEN (new.amount = 30) EXECUTE FUNCTION more();

-- attack: that runs as its owner and adds rows to somebody else's table
CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM {s}.canary('forge');
    BEGIN
        INSERT INTO alice.payments VALUES (1000, 'user-1', 1000000);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    RETURN NULL;
END
$$;
CREATE TRIGGER forge AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION forge();

-- attack: that alters the table while we are at it
-- only: after
CREATE FUNCTION alter_it() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    BEGIN
        ALTER TABLE {s}.payments DISABLE TRIGGER ALL;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    BEGIN
        ALTER TABLE {s}.refunds ALTER amount TYPE float8;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    RETURN NULL;
END
$$;
CREATE TRIGGER aaa_alter AFTER INSERT OR UPDATE ON payments FOR EACH STATEMENT EXECUTE FUNCTION alter_it();

-- attack: with the names of ours
CREATE TRIGGER zzz_affiliate_row AFTER INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW EXECUTE FUNCTION tattle();
ALTER TABLE payments RENAME CONSTRAINT payments_pkey TO zzz_affiliate_insert;

-- attack: ours renamed, and dropped
-- only: after
DO $$
DECLARE ours name;
BEGIN
    FOR ours IN SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = '{s}.payments'::regclass AND t.tgname ~ '^zzz_affiliate_' LOOP
        IF ours ~ 'delete' THEN
            EXECUTE format('DROP TRIGGER %I ON {s}.payments', ours);
        ELSE
            EXECUTE format('ALTER TRIGGER %I ON {s}.payments RENAME TO %I', ours, 'mine_' || ours);
        END IF;
    END LOOP;
END
$$;
CREATE TRIGGER zzz_affiliate_delete AFTER DELETE ON payments FOR EACH STATEMENT EXECUTE FUNCTION tattle();

-- attack: of our function, where he has the right to it
-- only: after
-- payments: CREATE TABLE payments (id bigint PRIMARY KEY, customer text, amount numeric, currency text, paid_at timestamptz DEFAULT now(), status text, flag boolean DEFAULT true, note text) PARTITION BY RANGE (id)
-- superuser: GRANT USAGE ON SCHEMA affiliate TO mallory
-- superuser: GRANT TRIGGER ON alice.payments TO mallory
CREATE TABLE low PARTITION OF payments FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
-- strike:
CREATE TABLE unbound (id bigint PRIMARY KEY, customer text, amount numeric);
DO $$
DECLARE
    relation text;
    kind text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['{s}.unbound', '{s}.payments', '{s}.low', '{s}.refunds', 'alice.payments'] LOOP
        FOREACH kind IN ARRAY ARRAY['BEFORE INSERT ON %s FOR EACH ROW', 'BEFORE UPDATE OR DELETE ON %s FOR EACH ROW',
            'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT', 'AFTER INSERT ON %s FOR EACH STATEMENT',
            'AFTER UPDATE ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT',
            'AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT',
            'AFTER DELETE ON %s FOR EACH STATEMENT', 'BEFORE TRUNCATE ON %s FOR EACH STATEMENT',
            'AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW'
        ] LOOP
            BEGIN
                EXECUTE format('CREATE TRIGGER %I ' || kind || ' EXECUTE FUNCTION affiliate.post_payments()',
                    'forge_' || md5(kind), relation);
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
            BEGIN
                EXECUTE format('CREATE TRIGGER %I ' || kind || ' EXECUTE FUNCTION affiliate.post_refunds()',
                    'forge_refunds_' || md5(kind), relation);
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
    END LOOP;
END
$$;
DO $$
BEGIN
    INSERT INTO unbound VALUES (1, 'user-1', 1000);
EXCEPTION WHEN OTHERS THEN NULL;
END
$$;
