-- The least that a statement trigger with a transition table costs.
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE c AS :'library', 'nothing';
CREATE TRIGGER nothing AFTER INSERT ON payments REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nothing();
CREATE TRIGGER nothing_updated AFTER UPDATE ON payments REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION nothing();
