-- Statistics objects on expressions: planning reads them.

-- attack: on expressions
CALL lie('of_customer(text)', 'text', '$1');
CALL lie('of_nothing(int)', 'text', '''x''');
CREATE STATISTICS payments_lies ON (of_customer(customer)), (of_nothing(1)) FROM payments;
CREATE STATISTICS refunds_lies ON (of_customer(currency)), (of_nothing(1)) FROM refunds;

-- attack: on expressions, analyzed
CALL lie('of_customer(text)', 'text', '$1');
CALL lie('of_nothing(int)', 'text', '''x''');
CREATE STATISTICS payments_lies (mcv, ndistinct) ON (of_customer(customer)), (of_nothing(1)), id FROM payments;
INSERT INTO payments (id, customer) SELECT n, 'nobody' FROM generate_series(10000, 10100) n;
ANALYZE payments;

-- attack: on one expression, replaced later
CALL honest('of_nothing(int)', 'text', '''x''');
CREATE STATISTICS payments_lies ON (of_nothing(1)) FROM payments;
CREATE STATISTICS refunds_lies ON (of_nothing(1)) FROM refunds;
-- strike:
CALL lie('of_nothing(int)', 'text', '''x''');
