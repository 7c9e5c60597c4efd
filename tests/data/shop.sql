-- The database of a fabric shop as its Spring application would leave it: fabrics, customers, marketplaces, orders, and the
-- history around them. For tests, the demo and measurements.
--
--   psql -v f=0.01 -f shop.sql
--
-- f scales it: 1 makes a plain dump of about 1.6 GiB, which gzip shrinks to about a third, as it does real ones. Always the same
-- data: all randomness is hashed from row numbers, so neither the server's version nor the order of work matters.
\set ON_ERROR_STOP on
\if :{?f}
\else
  \set f 0.01
\endif
SET client_min_messages = warning;
SET synchronous_commit = off;
SET max_parallel_workers_per_gather = 0;
SET TimeZone = 'UTC';

-- ---------------------------------------------------------------------------------------------------------------------
-- The generator: numbers from hashes, words from syllables, texts from a pool of sentences.
-- ---------------------------------------------------------------------------------------------------------------------
CREATE SCHEMA gen;

CREATE FUNCTION gen.n(i bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE
  AS 'SELECT hashint8extended(i, salt) & 9223372036854775807';
CREATE FUNCTION gen.below(most bigint, i bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE
  AS 'SELECT (hashint8extended(i, salt) & 9223372036854775807) % most';
CREATE FUNCTION gen.share(i bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE
  AS 'SELECT (hashint8extended(i, salt) & 4503599627370495) / 4503599627370496.0::float8';
CREATE FUNCTION gen.pick(a text[], i bigint, salt int) RETURNS text LANGUAGE sql IMMUTABLE
  AS 'SELECT a[1 + (hashint8extended(i, salt) & 9223372036854775807) % cardinality(a)]';
CREATE FUNCTION gen.uuid(i bigint, salt int) RETURNS uuid LANGUAGE sql IMMUTABLE
  AS 'SELECT (lpad(to_hex(hashint8extended(i, salt)), 16, ''0'') || lpad(to_hex(hashint8extended(i, salt + 1)), 16, ''0''))::uuid';
CREATE FUNCTION gen.price(i bigint, salt int, most int) RETURNS numeric LANGUAGE sql IMMUTABLE
  AS 'SELECT round((1 + pow(gen.share(i, salt), 2) * most)::numeric, 2)';

-- Two to four syllables: enough of them that names seldom repeat.
CREATE FUNCTION gen.word(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT s[1 + n % 48] || s[1 + n / 48 % 48]
         || CASE WHEN n / 2304 % 3 > 0 THEN s[1 + n / 6912 % 48] ELSE '' END
         || CASE WHEN n / 331776 % 4 = 0 THEN s[1 + n / 1327104 % 48] ELSE '' END
  FROM (SELECT '{ba,ber,bro,ca,cel,chi,da,den,do,el,en,fa,fer,fi,ga,gra,han,hil,in,ja,kar,ko,la,len,li,lo,ma,mer,mi,mo,na,nel,or,pa,per,ra,ri,ro,sa,sen,ster,ta,ti,tor,un,va,wen,zo}'::text[] AS s) q
$$;

-- 3,000 words; a sentence takes the word of rank r about 1/r as often as the first, as languages do.
CREATE TABLE gen.sentence (id int PRIMARY KEY, body text NOT NULL);
DO $$
DECLARE
  words text[] := ARRAY(SELECT gen.word(gen.n(r, 1)) FROM generate_series(1, 3000) r ORDER BY r);
  body text;
  word text;
BEGIN
  FOR id IN 0..19999 LOOP
    body := '';
    FOR w IN 1..5 + gen.below(12, id, 2) LOOP
      word := words[1 + floor(exp(gen.share(id * 32 + w, 3) * 8.006))::int % 3000];
      body := body || CASE
        WHEN w = 1 THEN initcap(word)
        WHEN gen.below(60, id * 32 + w, 4) = 0 THEN ' ' || gen.below(5000, id * 32 + w, 5)
        WHEN gen.below(12, id * 32 + w, 4) = 0 THEN ', ' || word
        ELSE ' ' || word END;
    END LOOP;
    INSERT INTO gen.sentence VALUES (id, body || CASE WHEN gen.below(9, id, 6) = 0 THEN '?' ELSE '.' END);
  END LOOP;
END $$;

-- One text a row, of `fewest` to `most` sentences. A set, because the pool is unpacked once per call.
CREATE FUNCTION gen.texts(rows bigint, fewest int, most int, salt int) RETURNS TABLE (i bigint, body text) LANGUAGE plpgsql AS $$
DECLARE
  pool text[] := ARRAY(SELECT s.body FROM gen.sentence s ORDER BY id);
BEGIN
  FOR row IN 1..rows LOOP
    i := row;
    body := pool[1 + gen.below(20000, row, salt)];
    FOR s IN 2..fewest + gen.below(most - fewest + 1, row, salt + 1) LOOP
      body := body || ' ' || pool[1 + gen.below(20000, row * 64 + s, salt + 2)];
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;

SELECT greatest(20, (60000 * :f)::int) AS users, greatest(50, (60000 * :f)::int) AS fabrics,
       greatest(100, (320000 * :f)::int) AS customers, greatest(200, (1300000 * :f)::int) AS orders,
       greatest(500, (1100000 * :f)::int) AS audits, greatest(100, (420000 * :f)::int) AS messages,
       greatest(100, (300000 * :f)::int) AS listings, greatest(10, (1000 * :f)::int) AS images,
       greatest(3, (60 * :f)::int) AS documents \gset

-- ---------------------------------------------------------------------------------------------------------------------
-- The application's tables, as Hibernate and its migrations make them.
-- ---------------------------------------------------------------------------------------------------------------------
CREATE TABLE flyway_schema_history (
  installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL, type varchar(20) NOT NULL,
  script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL,
  installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success boolean NOT NULL);
INSERT INTO flyway_schema_history
SELECT r, r::text, d, 'SQL', format('V%s__%s.sql', r, replace(d, ' ', '_')), hashtext(d), 'eleganttex',
       timestamp '2023-02-01' + r * interval '9 days', 20 + r * 7, true
FROM unnest('{init,users and roles,fabrics,customers,marketplaces,orders,order history,listings,audit partitions}'::text[])
     WITH ORDINALITY AS v (d, r);

CREATE TABLE roles (id bigserial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE
  CHECK (name IN ('ROLE_USER', 'ROLE_MODERATOR', 'ROLE_ADMIN')));
INSERT INTO roles (name) VALUES ('ROLE_USER'), ('ROLE_MODERATOR'), ('ROLE_ADMIN');

CREATE TABLE users (
  id bigserial PRIMARY KEY, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL, email varchar(255) NOT NULL UNIQUE,
  first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL, password varchar(255) NOT NULL, phone varchar(255),
  account_verified boolean NOT NULL, failed_login_attempts int, account_locked_until timestamp(6));
INSERT INTO users (created_at, updated_at, email, first_name, last_name, password, phone, account_verified, failed_login_attempts)
SELECT at, at + gen.share(i, 11) * interval '300 days', gen.word(gen.n(i, 12)) || i || '@' || gen.word(gen.below(700, i, 13)) || '.example',
  initcap(gen.word(gen.n(i, 14))), initcap(gen.word(gen.n(i, 15))),
  '$2a$10$' || left(translate(encode(sha256(i::text::bytea), 'base64'), '+=', './'), 43) || gen.below(999999999, i, 16),
  CASE WHEN gen.below(3, i, 17) > 0 THEN '+880 1' || gen.below(999999999, i, 18) END, gen.below(20, i, 19) > 0, gen.below(4, i, 20)
FROM (SELECT i, timestamp '2023-01-01' + i * interval '25 minutes' AS at FROM generate_series(1, :users) i) q;
CREATE TABLE user_roles (user_id bigint NOT NULL REFERENCES users, role_id bigint NOT NULL REFERENCES roles, PRIMARY KEY (user_id, role_id));
INSERT INTO user_roles SELECT id, 1 FROM users UNION ALL SELECT id, 2 FROM users WHERE id % 50 = 0 UNION ALL SELECT id, 3 FROM users WHERE id % 500 = 1;

CREATE TABLE marketplaces (
  id bigserial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE, page_url varchar(255) NOT NULL, active boolean NOT NULL,
  settings jsonb NOT NULL, created_at timestamp(6) NOT NULL);
INSERT INTO marketplaces (name, page_url, active, settings, created_at)
SELECT initcap(gen.word(gen.n(i, 21))) || ' ' || i, 'https://market.example/' || gen.word(gen.n(i, 21)), i % 7 > 0,
  jsonb_build_object('fee', gen.share(i, 22)::numeric(6, 4), 'currency', gen.pick('{BDT,USD,EUR,INR}', i, 23),
    'sync', jsonb_build_object('every', gen.below(60, i, 24) || 'm', 'retries', gen.below(5, i, 25)), 'labels', jsonb_build_array(gen.word(i), gen.word(i * 3))),
  timestamp '2023-03-01' + i * interval '3 days'
FROM generate_series(1, 150) i;

CREATE TABLE tags (id bigserial PRIMARY KEY, name varchar(255) NOT NULL UNIQUE);
INSERT INTO tags (name) SELECT gen.word(i * 37) || '-' || i FROM generate_series(1, 300) i;

CREATE TABLE fabrics (
  id bigserial PRIMARY KEY, public_id uuid NOT NULL UNIQUE, name varchar(255) NOT NULL, description text, image_url varchar(255),
  active boolean NOT NULL, price numeric(38, 2) NOT NULL, stock_metres numeric(12, 3) NOT NULL, weave varchar(255) NOT NULL
    CHECK (weave IN ('PLAIN', 'TWILL', 'SATIN', 'JACQUARD', 'KNIT')), attributes jsonb,
  price_with_tax numeric(38, 2) GENERATED ALWAYS AS (round(price * 1.15, 2)) STORED, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
INSERT INTO fabrics (public_id, name, description, image_url, active, price, stock_metres, weave, attributes, created_at, updated_at)
SELECT gen.uuid(i, 31), initcap(gen.word(gen.n(i, 33))) || ' ' || gen.pick('{voile,lawn,khadi,muslin,georgette,organza,poplin,denim}', i, 34), body,
  '/images/fabrics/' || gen.uuid(i, 31) || '.webp', gen.below(10, i, 35) > 0, gen.price(i, 36, 3000), (gen.share(i, 37) * 4000)::numeric(12, 3),
  gen.pick('{PLAIN,PLAIN,TWILL,SATIN,JACQUARD,KNIT}', i, 38),
  jsonb_build_object('gsm', 60 + gen.below(300, i, 39), 'width_cm', 90 + gen.below(70, i, 40), 'care', gen.pick('{"hand wash",30C,40C,"dry clean"}', i, 41), 'mill', gen.word(gen.below(4000, i, 42))),
  timestamp '2023-03-01' + i * interval '20 minutes', timestamp '2025-01-01' + gen.share(i, 43) * interval '200 days'
FROM gen.texts(:fabrics, 3, 12, 44);
CREATE TABLE fabric_tags (fabric_id bigint NOT NULL REFERENCES fabrics, tag_id bigint NOT NULL REFERENCES tags, PRIMARY KEY (fabric_id, tag_id));
INSERT INTO fabric_tags SELECT i, 1 + (gen.below(290, i, 45) + k) % 300 FROM generate_series(1, :fabrics) i, generate_series(1, 3) k;

-- Bytes that no compressor gets smaller, as photographs are.
CREATE TABLE fabric_images (
  id bigserial PRIMARY KEY, fabric_id bigint NOT NULL REFERENCES fabrics, content_type varchar(255) NOT NULL, data bytea NOT NULL);
INSERT INTO fabric_images (fabric_id, content_type, data)
SELECT 1 + gen.below(:fabrics, i, 51), 'image/webp', (SELECT string_agg(sha256((i * 1000 + k)::text::bytea), ''::bytea ORDER BY k) FROM generate_series(1, 100 + gen.below(800, i, 52)) k)
FROM generate_series(1, :images) i;
-- Scanned contracts, as large objects, with numbers of their own so that they are the same everywhere.
CREATE TABLE documents (id bigserial PRIMARY KEY, title varchar(255) NOT NULL, content oid NOT NULL);
INSERT INTO documents (title, content)
SELECT 'Contract ' || i, lo_from_bytea((700000 + i)::oid, (SELECT string_agg(sha512((i * 10000 + k)::text::bytea), ''::bytea ORDER BY k) FROM generate_series(1, 2000) k))
FROM generate_series(1, :documents) i;

CREATE TABLE customers (
  id bigserial PRIMARY KEY, public_id uuid NOT NULL, name varchar(255) NOT NULL, phone varchar(255), email varchar(255), address varchar(1000),
  city varchar(255), notes text, facebook_id varchar(255), created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
INSERT INTO customers (public_id, name, phone, email, address, city, notes, facebook_id, created_at, updated_at)
SELECT gen.uuid(i, 61), initcap(gen.word(gen.n(i, 63))) || ' ' || initcap(gen.word(gen.n(i, 64))), '+880 1' || gen.below(999999999, i, 65),
  CASE WHEN gen.below(3, i, 66) = 0 THEN gen.word(gen.n(i, 63)) || gen.below(9999, i, 67) || '@mail.example' END,
  'House ' || gen.below(200, i, 68) || ', Road ' || gen.below(40, i, 69) || ', ' || initcap(gen.word(gen.below(3000, i, 70))),
  initcap(gen.word(gen.below(64, i, 71))), CASE WHEN gen.below(4, i, 72) = 0 THEN body END,
  CASE WHEN gen.below(2, i, 73) = 0 THEN (100000000000 + gen.below(899999999999, i, 74))::text END, at, at + gen.share(i, 75) * interval '90 days'
FROM (SELECT i, body, timestamp '2023-03-01' + i * interval '4 minutes' AS at FROM gen.texts(:customers, 1, 3, 76)) q;

CREATE TABLE orders (
  id bigserial PRIMARY KEY, order_number varchar(255) NOT NULL, customer_id bigint NOT NULL, marketplace_id bigint, created_by bigint NOT NULL,
  status varchar(255) NOT NULL CHECK (status IN ('ORDER_CREATED', 'APPROVED', 'BOOKING', 'PRODUCTION', 'QA', 'READY', 'DELIVERED', 'RETURNED', 'CANCELLED')),
  delivery_date date NOT NULL, delivery_charge numeric(38, 2) NOT NULL, total_amount numeric(38, 2) NOT NULL, delivery_address varchar(1000),
  is_facebook boolean NOT NULL, comment text, created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
INSERT INTO orders (order_number, customer_id, marketplace_id, created_by, status, delivery_date, delivery_charge, total_amount, delivery_address, is_facebook, comment, created_at, updated_at)
SELECT 'ORD-' || to_char(at, 'YYMMDD') || '-' || lpad(i::text, 8, '0'), 1 + gen.below(:customers, i, 81), CASE WHEN gen.below(5, i, 82) > 0 THEN 1 + gen.below(150, i, 83) END, 1 + gen.below(:users, i, 84),
  gen.pick('{DELIVERED,DELIVERED,DELIVERED,DELIVERED,DELIVERED,READY,QA,PRODUCTION,BOOKING,APPROVED,ORDER_CREATED,RETURNED,CANCELLED}', i, 85),
  at::date + 3 + gen.below(20, i, 86)::int, 60 + 10 * gen.below(9, i, 87), gen.price(i, 88, 20000),
  'House ' || gen.below(200, i, 89) || ', Road ' || gen.below(40, i, 90) || ', ' || initcap(gen.word(gen.below(3000, i, 91))), gen.below(3, i, 92) = 0,
  CASE WHEN gen.below(6, i, 93) = 0 THEN body END, at, at + gen.share(i, 94) * interval '20 days'
FROM (SELECT i, body, timestamp '2023-03-15' + i * interval '65 seconds' + gen.below(60, i, 95) * interval '1 second' AS at FROM gen.texts(:orders, 1, 2, 96)) q;

CREATE TABLE order_products (
  id bigserial PRIMARY KEY, order_id bigint NOT NULL, fabric_id bigint NOT NULL, product_type varchar(255) NOT NULL
    CHECK (product_type IN ('SAREE', 'PANJABI', 'KAMEEZ', 'CURTAIN', 'CUSHION', 'BY_METRE')),
  quantity int NOT NULL, price numeric(38, 2) NOT NULL, description varchar(1000), style_code varchar(255));
INSERT INTO order_products (order_id, fabric_id, product_type, quantity, price, description, style_code)
SELECT o, 1 + gen.below(:fabrics, i, 101), gen.pick('{SAREE,SAREE,PANJABI,KAMEEZ,CURTAIN,CUSHION,BY_METRE}', i, 102), 1 + gen.below(5, i, 103), gen.price(i, 104, 4000),
  CASE WHEN gen.below(8, i, 105) = 0 THEN initcap(gen.word(gen.n(i, 106))) || ' with ' || gen.word(gen.n(i, 107)) || ' border' END, 'EL-' || upper(to_hex(gen.below(1048576, i, 108)))
FROM (SELECT o * 4 + k AS i, o FROM generate_series(1::bigint, :orders) o, generate_series(1, 3) k WHERE k <= 1 + gen.below(3, o, 109)) q;

CREATE TABLE order_status_history (
  id bigserial PRIMARY KEY, order_id bigint NOT NULL, status varchar(255) NOT NULL, user_id bigint NOT NULL, notes varchar(1000), "timestamp" timestamp(6) NOT NULL);
INSERT INTO order_status_history (order_id, status, user_id, notes, "timestamp")
SELECT o, (ARRAY['ORDER_CREATED', 'APPROVED', 'DELIVERED'])[k], 1 + gen.below(:users, i, 111), CASE WHEN gen.below(5, i, 112) = 0 THEN 'Called ' || initcap(gen.word(gen.n(i, 113))) || ' about it' END,
  timestamp '2023-03-15' + o * interval '65 seconds' + k * gen.share(i, 114) * interval '5 days'
FROM (SELECT o * 4 + k AS i, o, k FROM generate_series(1::bigint, :orders) o, generate_series(1, 2) k) q;

CREATE TABLE listings (
  id bigserial PRIMARY KEY, public_id uuid NOT NULL, marketplace_id bigint NOT NULL, fabric_id bigint NOT NULL, title varchar(255) NOT NULL, bullet_points text[],
  description text, price numeric(10, 2), active boolean, synced_at timestamptz);
INSERT INTO listings (public_id, marketplace_id, fabric_id, title, bullet_points, description, price, active, synced_at)
SELECT gen.uuid(i, 121), 1 + i % 150, 1 + gen.below(:fabrics, i, 123), left(body, 60), string_to_array(left(body, 140), ' ', NULL)::text[], body, gen.price(i, 124, 900), gen.below(5, i, 125) > 0,
  timestamptz '2025-03-01' + gen.share(i, 126) * interval '90 days'
FROM gen.texts(:listings, 3, 9, 127);

CREATE TABLE messages (id bigserial PRIMARY KEY, order_id bigint NOT NULL, sender varchar(255) NOT NULL CHECK (sender IN ('CUSTOMER', 'STAFF', 'SYSTEM')), body text NOT NULL, sent_at timestamptz NOT NULL);
INSERT INTO messages (order_id, sender, body, sent_at)
SELECT 1 + gen.below(:orders, i, 131), gen.pick('{CUSTOMER,CUSTOMER,STAFF,STAFF,SYSTEM}', i, 132), body, timestamptz '2023-04-01' + i * interval '200 seconds'
FROM gen.texts(:messages, 2, 14, 133);

CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, actor_id bigint, entity varchar(255) NOT NULL, entity_id bigint NOT NULL, action varchar(255) NOT NULL,
  request_id uuid, ip inet, user_agent text, changes jsonb NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE audit_log_2023 PARTITION OF audit_log FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE audit_log_2024 PARTITION OF audit_log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE audit_log_2025 PARTITION OF audit_log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE audit_log_rest PARTITION OF audit_log DEFAULT;
INSERT INTO audit_log (at, actor_id, entity, entity_id, action, request_id, ip, user_agent, changes)
SELECT timestamptz '2023-03-15' + i * (interval '900 days' / :audits), 1 + gen.below(:users, i, 141), gen.pick('{Order,Order,Order,Customer,Fabric,Listing}', i, 142), gen.below(:orders, i, 143),
  gen.pick('{UPDATE,UPDATE,UPDATE,CREATE,DELETE,LOGIN}', i, 144), gen.uuid(i, 145), ('10.' || gen.below(256, i, 147) || '.' || gen.below(256, i, 148) || '.' || gen.below(256, i, 149))::inet,
  gen.pick('{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",okhttp/4.12.0}', i, 150),
  jsonb_build_object('from', jsonb_build_object('status', gen.pick('{BOOKING,PRODUCTION,QA,READY}', i, 151), 'total', gen.price(i, 152, 9000)),
    'to', jsonb_build_object('status', gen.pick('{PRODUCTION,QA,READY,DELIVERED}', i, 153), 'total', gen.price(i, 154, 9000), 'note', body), 'source', gen.pick('{web,api,import,job}', i, 155))
FROM gen.texts(:audits, 1, 2, 156);

DROP SCHEMA gen CASCADE;

-- ---------------------------------------------------------------------------------------------------------------------
-- Keys, indexes, and what a database has beside tables.
-- ---------------------------------------------------------------------------------------------------------------------
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers, ADD FOREIGN KEY (marketplace_id) REFERENCES marketplaces, ADD FOREIGN KEY (created_by) REFERENCES users;
ALTER TABLE order_products ADD FOREIGN KEY (order_id) REFERENCES orders, ADD FOREIGN KEY (fabric_id) REFERENCES fabrics;
ALTER TABLE order_status_history ADD FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE messages ADD FOREIGN KEY (order_id) REFERENCES orders;
CREATE UNIQUE INDEX ON orders (order_number);
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (status, delivery_date) WHERE status NOT IN ('DELIVERED', 'CANCELLED');
CREATE INDEX ON order_products (order_id);
CREATE INDEX ON order_status_history (order_id);
CREATE INDEX ON customers (lower(email));
CREATE INDEX ON customers (phone);
CREATE INDEX ON fabrics USING gin (attributes);
CREATE INDEX ON messages (order_id);
CREATE INDEX ON audit_log (entity, entity_id);

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER orders_touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE VIEW open_orders AS
  SELECT o.order_number, c.name AS customer, o.status, o.delivery_date, o.total_amount FROM orders o JOIN customers c ON c.id = o.customer_id
  WHERE o.status NOT IN ('DELIVERED', 'RETURNED', 'CANCELLED');
CREATE MATERIALIZED VIEW monthly_revenue AS
  SELECT date_trunc('month', created_at) AS month, count(*) AS orders, sum(total_amount) AS revenue FROM orders WHERE status = 'DELIVERED' GROUP BY 1;
CREATE UNIQUE INDEX ON monthly_revenue (month);
COMMENT ON TABLE orders IS 'One row for each order, whatever marketplace it came from';
ANALYZE;
