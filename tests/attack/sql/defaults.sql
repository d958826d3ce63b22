-- Defaults, generated columns, check constraints: expressions of the owner's over his rows.

-- attack: defaults
CALL lie('any_text()', 'text', '''x''');
CALL lie('any_number()', 'numeric', '1');
ALTER TABLE payments ADD extra text DEFAULT any_text(), ALTER note SET DEFAULT any_text();
ALTER TABLE refunds ADD extra numeric DEFAULT any_number();

-- attack: generated column
CALL lie('upper_case(text)', 'text', 'pg_catalog.upper($1)');
ALTER TABLE payments ADD upper text GENERATED ALWAYS AS (upper_case(customer)) STORED;
ALTER TABLE refunds ADD upper text GENERATED ALWAYS AS (upper_case(currency)) STORED;

-- attack: generated customer and amount
CALL lie('customer_of(text)', 'text', '$1');
CALL lie('amount_of(numeric)', 'numeric', '$1');
ALTER TABLE payments RENAME customer TO given_customer;
ALTER TABLE payments RENAME given_customer TO customer;
ALTER TABLE payments ADD generated_amount numeric GENERATED ALWAYS AS (amount_of(amount)) STORED,
    ADD generated_customer text GENERATED ALWAYS AS (customer_of(customer)) STORED;

-- attack: check constraints
CALL lie('is_good(text)', 'boolean', 'true');
CALL lie('is_constant(int)', 'boolean', 'true');
ALTER TABLE payments ADD CHECK (is_good(customer)), ADD CHECK (is_constant(1));
ALTER TABLE refunds ADD CHECK (is_good(currency)), ADD CHECK (is_constant(1));

-- attack: check constraints that the planner reads
-- session: SET constraint_exclusion = on
CALL lie('is_good(text)', 'boolean', 'true');
CALL lie('is_constant(int)', 'boolean', 'true');
ALTER TABLE payments ADD CHECK (is_good('x')), ADD CHECK (is_constant(1));
ALTER TABLE refunds ADD CHECK (is_good('x')), ADD CHECK (is_constant(1));
