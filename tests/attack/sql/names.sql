-- Names that are SQL: they stand in statements that we make.

-- attack: of columns
ALTER TABLE payments RENAME note TO "a""; ALTER ROLE mallory SUPERUSER; --";
ALTER TABLE payments ADD "t" text DEFAULT 't', ADD "t_" text, ADD "$1" text, ADD "new_rows" text, ADD "old_rows" text,
    ADD "key" text, ADD "row" text;
ALTER TABLE refunds ADD "t" text DEFAULT 't', ADD "a""'\; --" text, ADD "$1" text;

-- attack: of mapped columns
-- only: after
ALTER TABLE payments RENAME customer TO "c'"";--";
ALTER TABLE payments RENAME amount TO "amount); ALTER ROLE mallory SUPERUSER; --";
ALTER TABLE payments RENAME id TO "id = 1 OR true; --";

-- attack: of the table
-- only: after
ALTER TABLE payments RENAME TO "p; ALTER ROLE mallory SUPERUSER; --";
ALTER TABLE refunds RENAME TO "r""; ALTER ROLE mallory SUPERUSER; --";

-- attack: of types
CREATE TYPE "kind""; ALTER ROLE mallory SUPERUSER; --" AS ENUM ('x');
CREATE DOMAIN "key""::text; ALTER ROLE mallory SUPERUSER; --" AS bigint;
CREATE DOMAIN "text" AS pg_catalog.text;
CREATE DOMAIN "numeric" AS pg_catalog.numeric;
ALTER TABLE payments ALTER id TYPE "key""::text; ALTER ROLE mallory SUPERUSER; --",
    ALTER customer TYPE {s}."text", ALTER amount TYPE {s}."numeric",
    ADD kind "kind""; ALTER ROLE mallory SUPERUSER; --" DEFAULT 'x';

-- attack: of triggers and indexes
CREATE TRIGGER "affiliate_x""; ALTER ROLE mallory SUPERUSER; --" AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION tattle();
CREATE INDEX "i""; ALTER ROLE mallory SUPERUSER; --" ON payments (customer);
