-- Event triggers are a superuser's; the function of one may be somebody else's. A superuser's own
-- commands run it as the superuser, whatever they are about.

-- attack: a superuser's trigger with a function of the owner's
-- only: after
-- superuser: CREATE FUNCTION {s}.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN IF SESSION_USER <> ''postgres'' THEN PERFORM {s}.canary(''on_ddl''); END IF; END'
-- superuser: CREATE EVENT TRIGGER {s}_ddl ON ddl_command_end EXECUTE FUNCTION {s}.on_ddl()
-- superuser: ALTER FUNCTION {s}.on_ddl() OWNER TO mallory
ALTER TABLE payments ALTER note SET DEFAULT 'x';

-- attack: a trigger of the owner's own
-- only: after
DO $$
BEGIN
    CREATE FUNCTION {s}.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM {s}.canary(''on_ddl''); END';
    CREATE EVENT TRIGGER {s}_ddl ON ddl_command_end EXECUTE FUNCTION {s}.on_ddl();
EXCEPTION WHEN insufficient_privilege THEN NULL;
END
$$;
