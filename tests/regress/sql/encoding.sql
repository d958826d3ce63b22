-- Keys and customers are UTF-8: a database of another encoding is refused as a whole.
\set VERBOSITY verbose
-- where in the script is told by some versions only
\set SHOW_CONTEXT never
CREATE DATABASE regress_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
CREATE DATABASE regress_sql_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';
CREATE DATABASE regress_euc_jp TEMPLATE template0 ENCODING 'EUC_JP' LOCALE 'C';
CREATE DATABASE regress_utf8 TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_latin1
CREATE EXTENSION affiliate;
SELECT count(*) FROM pg_namespace WHERE nspname = 'affiliate';
\c regress_sql_ascii
CREATE EXTENSION affiliate;
\c regress_euc_jp
SET client_encoding = 'UTF8';
CREATE EXTENSION affiliate;
\c regress_utf8
CREATE EXTENSION affiliate;
SELECT proname FROM pg_proc WHERE proname = 'require_utf8';
\c postgres
DROP DATABASE regress_latin1;
DROP DATABASE regress_sql_ascii;
DROP DATABASE regress_euc_jp;
DROP DATABASE regress_utf8;
