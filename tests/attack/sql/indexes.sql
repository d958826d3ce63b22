-- Expressions and conditions of indexes: inserts run them, and planning folds them.

-- attack: expression
CALL lie('of_customer(text)', 'text', '$1');
CREATE INDEX ON payments (of_customer(customer));
CREATE INDEX ON refunds (of_customer(currency));

-- attack: expression of constants
CALL lie('of_nothing(int)', 'text', '''x''');
CREATE INDEX ON payments (of_nothing(1));
CREATE INDEX ON refunds (of_nothing(1));

-- attack: condition
CALL lie('is_indexed(text)', 'boolean', 'true');
CREATE INDEX ON payments (customer) WHERE is_indexed(status);
CREATE INDEX ON refunds (payment_id) WHERE is_indexed(currency);

-- attack: condition of constants
CALL lie('is_indexed(int)', 'boolean', 'true');
CREATE INDEX ON payments (customer) WHERE is_indexed(1);
CREATE INDEX ON refunds (payment_id) WHERE is_indexed(1);

-- attack: unique expression
CALL lie('of_id(bigint)', 'bigint', '$1');
CREATE UNIQUE INDEX ON payments (of_id(id), of_id(1));

-- attack: functions replaced later
CALL honest('of_customer(text)', 'text', '$1');
CALL honest('of_nothing(int)', 'text', '''x''');
CALL honest('is_indexed(int)', 'boolean', 'true');
CREATE INDEX ON payments (of_customer(customer));
CREATE INDEX ON payments (of_nothing(1));
CREATE INDEX ON payments (customer) WHERE is_indexed(1);
CREATE INDEX ON refunds (payment_id) WHERE is_indexed(1);
-- strike:
CALL lie('of_customer(text)', 'text', '$1');
CALL lie('of_nothing(int)', 'text', '''x''');
CALL lie('is_indexed(int)', 'boolean', 'true');

-- attack: other access methods
CALL lie('of_number(int)', 'int', '1');
CALL lie('of_words(text)', 'text[]', 'ARRAY[$1]');
CREATE INDEX ON payments USING brin (of_number(1));
CREATE INDEX ON payments USING hash (of_number(2));
CREATE INDEX ON payments USING gin (of_words('x'));
CREATE INDEX ON payments USING gin (of_words(customer));

-- attack: the key's own index is rebuilt with a lie beside it
CALL lie('is_indexed(bigint)', 'boolean', 'true');
CREATE UNIQUE INDEX ON payments (id) WHERE is_indexed(1::bigint);
CREATE UNIQUE INDEX ON payments (id) INCLUDE (customer, amount) WHERE is_indexed(2::bigint);

-- attack: a function inlined by the planner
CREATE FUNCTION inlined(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT {s}.canary(''inlined'')';
CREATE INDEX ON payments (customer) WHERE inlined(1);
CREATE INDEX ON payments (inlined(2));
