"""The tables, as the migrations that make them. `{s}` stands for our schema's name.

`meta` has one row. Every write of claims locks it first, so writes come one after the other and none waits
for another in a circle. No transaction of ours is held open by a client in connection mode.
"""

VERSION_1 = """
CREATE TABLE {s}.meta (
    version integer NOT NULL,
    number bigint NOT NULL,
    begun bigint NOT NULL,
    floor bigint NOT NULL,
    life text NOT NULL,
    life_since timestamptz NOT NULL
);
COMMENT ON COLUMN {s}.meta.number IS 'grows with each write of claims and wishes: the slow look';
COMMENT ON COLUMN {s}.meta.begun IS 'the first term of these data: other data have another';
COMMENT ON COLUMN {s}.meta.floor IS 'terms begin above it';
COMMENT ON COLUMN {s}.meta.life IS 'of the server: its start and its timeline; no lock outlives it';

CREATE TABLE {s}.sessions (
    id text PRIMARY KEY,
    identity text NOT NULL,
    lease double precision NOT NULL,
    lock_key bigint,
    life text NOT NULL,
    beaten_at timestamptz NOT NULL,
    is_over boolean NOT NULL DEFAULT false,
    report bytea NOT NULL DEFAULT ''
);
COMMENT ON COLUMN {s}.sessions.lock_key IS 'its advisory lock; null: its beat alone counts';

CREATE TABLE {s}.claims (
    bot_id bigint PRIMARY KEY,
    version bigint NOT NULL,
    holder text,
    term bigint NOT NULL,
    since double precision NOT NULL,
    heir text,
    clean boolean NOT NULL,
    acknowledged text,
    episode text,
    standing text
);

CREATE TABLE {s}.wishes (
    bot_id bigint NOT NULL,
    session text NOT NULL,
    since bigint GENERATED ALWAYS AS IDENTITY,
    priority integer NOT NULL,
    mode text NOT NULL,
    aim bigint,
    PRIMARY KEY (bot_id, session)
);
CREATE INDEX wishes_of_a_session ON {s}.wishes (session);
"""
