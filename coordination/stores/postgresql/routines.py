"""What runs on the server, each in one round trip. Mechanism only: who is next is nowhere here.

`is_silent` is the proof that a session may be ended. In connection mode its lock is free: its connection is
gone. That counts only in the server's life in which the lock was taken: after a restart or a fail-over all
locks are free, so there a lease must pass from the moment when the new life was first seen. Behind a pooler a
client that freezes before its commit is waited for 2 s.

`swap` is planned once: left alone, the server plans each of its statements anew for the first five times,
which costs a takeover half a millisecond. Its plans are as good for ten thousand claims.
"""

VERSION_1 = """
CREATE FUNCTION {s}.life() RETURNS text LANGUAGE sql AS $$
    SELECT extract(epoch FROM pg_postmaster_start_time())::text
        || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
$$;

CREATE FUNCTION {s}.first_term() RETURNS bigint LANGUAGE sql AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1024)::bigint << 10
$$;

CREATE FUNCTION {s}.note_life() RETURNS void LANGUAGE sql AS $$
    UPDATE {s}.meta
    SET life = {s}.life(), life_since = clock_timestamp(), floor = greatest(floor, {s}.first_term())
    WHERE life <> {s}.life()
$$;

CREATE FUNCTION {s}.begin_write() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('idle_in_transaction_session_timeout', '2000', true);
    PERFORM FROM {s}.meta FOR UPDATE;
END
$$;

CREATE FUNCTION {s}.is_silent(s {s}.sessions, own text[]) RETURNS boolean LANGUAGE sql AS $$
    SELECT CASE
        WHEN s.id = ANY (own) OR m.life <> {s}.life() THEN false
        WHEN s.life <> m.life AND clock_timestamp() < m.life_since + make_interval(secs => s.lease) THEN false
        WHEN s.lock_key IS NOT NULL THEN pg_try_advisory_xact_lock_shared(s.lock_key)
        ELSE clock_timestamp() >= s.beaten_at + make_interval(secs => s.lease)
    END
    FROM {s}.meta m
$$;

CREATE FUNCTION {s}.beat(session text, new_report bytea) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('idle_in_transaction_session_timeout', '2000', true);
    PERFORM {s}.note_life();
    UPDATE {s}.sessions s
    SET beaten_at = clock_timestamp(), life = {s}.life(), report = coalesce(new_report, s.report)
    WHERE s.id = session AND NOT s.is_over;
    RETURN CASE WHEN FOUND THEN pg_backend_pid() END;
END
$$;

CREATE FUNCTION {s}.enter(session text, who text, its_lease double precision, key bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF key IS NOT NULL THEN
        PERFORM pg_advisory_lock(key);
    END IF;
    PERFORM {s}.note_life();
    PERFORM {s}.begin_write();
    DELETE FROM {s}.sessions s
    WHERE NOT EXISTS (SELECT FROM {s}.claims c WHERE s.id IN (c.holder, c.heir))
        AND (s.is_over OR clock_timestamp() >= s.beaten_at + make_interval(secs => s.lease)
            AND {s}.is_silent(s, '{}'));
    DELETE FROM {s}.wishes w WHERE NOT EXISTS (SELECT FROM {s}.sessions s WHERE s.id = w.session);
    INSERT INTO {s}.sessions (id, identity, lease, lock_key, life, beaten_at)
    VALUES (session, who, its_lease, key, {s}.life(), clock_timestamp());
    IF key IS NOT NULL THEN
        PERFORM pg_notify({channel}, '+' || session);
    END IF;
    RETURN (SELECT begun FROM {s}.meta);
END
$$;

CREATE FUNCTION {s}.resume(session text, key bigint) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint = (key >> 32) & 4294967295 AND objid::bigint = key & 4294967295 AND objsubid = 1;
    PERFORM pg_advisory_lock(key);
    PERFORM pg_notify({channel}, '+' || session);
    RETURN {s}.beat(session, NULL);
END
$$;

CREATE FUNCTION {s}.leave(session text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {s}.begin_write();
    UPDATE {s}.sessions s SET is_over = true WHERE s.id = session AND NOT s.is_over;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM {s}.wishes w WHERE w.session = leave.session;
    UPDATE {s}.claims
    SET holder = NULL, heir = NULL, clean = false, version = version + 1
    WHERE holder = session;
    UPDATE {s}.meta SET number = number + 1;
    PERFORM pg_notify({channel}, session);
END
$$;

CREATE FUNCTION {s}.finish(own text, dead text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {s}.begin_write();
    PERFORM FROM {s}.sessions s WHERE s.id = own AND NOT s.is_over;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE {s}.sessions s SET is_over = true WHERE s.id = dead AND NOT s.is_over;
    IF FOUND THEN
        DELETE FROM {s}.wishes w WHERE w.session = dead;
        UPDATE {s}.meta SET number = number + 1;
        PERFORM pg_notify({channel}, dead);
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION {s}.await_silence(session text, key bigint, seconds double precision)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', (seconds * 1000)::integer::text, true);
    PERFORM pg_advisory_xact_lock_shared(key);
    PERFORM FROM {s}.sessions s WHERE s.id = session AND NOT s.is_over AND {s}.is_silent(s, '{}');
    IF NOT FOUND THEN
        RETURN 'free';
    END IF;
    PERFORM pg_notify({channel}, session);
    RETURN 'silent';
EXCEPTION WHEN lock_not_available OR query_canceled THEN
    RETURN 'held';
END
$$;

CREATE FUNCTION {s}.swap(
    own text, sessions_of_ours text[],
    bots bigint[], versions bigint[], holders text[], terms bigint[], sinces double precision[],
    heirs text[], cleans boolean[], acknowledgeds text[], episodes text[], standings text[], requireds text[],
    wished bigint[], priorities integer[], modes text[], aims bigint[],
    withdrawn bigint[], woken text[],
    OUT is_alive boolean, OUT written bigint[], OUT written_terms bigint[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    ended text[];
    alive text[];
    new_bots bigint[];
    new_terms bigint[];
BEGIN
    PERFORM {s}.begin_write();
    PERFORM FROM {s}.sessions s WHERE s.id = own AND NOT s.is_over FOR SHARE;
    is_alive := FOUND;
    IF NOT is_alive THEN
        RETURN;
    END IF;

    -- The sessions that must be over, where the version of the claim is as expected.
    IF array_length(array_remove(requireds, NULL), 1) > 0 THEN
        PERFORM {s}.note_life();
        WITH gone AS (
            UPDATE {s}.sessions s SET is_over = true
            WHERE NOT s.is_over AND s.id IN (
                SELECT DISTINCT u.required FROM unnest(bots, versions, requireds) u (bot, version, required)
                LEFT JOIN {s}.claims c ON c.bot_id = u.bot
                WHERE u.required IS NOT NULL AND coalesce(c.version, 0) = u.version
            ) AND {s}.is_silent(s, sessions_of_ours)
            RETURNING s.id
        ) SELECT array_agg(id) INTO ended FROM gone;
        DELETE FROM {s}.wishes w WHERE w.session = ANY (ended);
    END IF;
    alive := ARRAY (SELECT s.id FROM {s}.sessions s WHERE s.id = ANY (requireds) AND NOT s.is_over);

    WITH changed AS (
        UPDATE {s}.claims c SET
            version = c.version + 1, holder = u.holder, since = u.since, heir = u.heir, clean = u.clean,
            term = CASE WHEN u.holder IS NOT DISTINCT FROM c.holder THEN u.term
                ELSE greatest(u.term, (SELECT floor FROM {s}.meta)) END,
            acknowledged = u.acknowledged, episode = u.episode, standing = u.standing
        FROM unnest(bots, versions, holders, terms, sinces, heirs, cleans, acknowledgeds, episodes, standings,
            requireds)
            u (bot, version, holder, term, since, heir, clean, acknowledged, episode, standing, required)
        WHERE c.bot_id = u.bot AND c.version = u.version AND (u.required IS NULL OR u.required <> ALL (alive))
        RETURNING c.bot_id, c.term
    ) SELECT array_agg(bot_id), array_agg(term) INTO written, written_terms FROM changed;

    -- Begun now, not when the schema was made: a row that was lost begins later than it was.
    WITH new AS (
        INSERT INTO {s}.claims AS c
        SELECT u.bot, 1, u.holder, greatest(u.term, m.floor, m.now), u.since, u.heir, u.clean, u.acknowledged,
            u.episode, u.standing
        FROM unnest(bots, versions, holders, terms, sinces, heirs, cleans, acknowledgeds, episodes, standings,
            requireds)
            u (bot, version, holder, term, since, heir, clean, acknowledged, episode, standing, required),
            (SELECT floor, {s}.first_term() AS now FROM {s}.meta) m
        WHERE u.version = 0 AND (u.required IS NULL OR u.required <> ALL (alive))
        ON CONFLICT (bot_id) DO NOTHING
        RETURNING c.bot_id, c.term
    ) SELECT array_agg(bot_id), array_agg(term) INTO new_bots, new_terms FROM new;
    written := coalesce(written, '{}') || coalesce(new_bots, '{}');
    written_terms := coalesce(written_terms, '{}') || coalesce(new_terms, '{}');

    INSERT INTO {s}.wishes AS w (bot_id, session, priority, mode, aim)
    SELECT u.bot, own, u.priority, u.mode, u.aim
    FROM unnest(wished, priorities, modes, aims) WITH ORDINALITY u (bot, priority, mode, aim, place)
    ORDER BY u.place
    ON CONFLICT (bot_id, session) DO UPDATE
    SET priority = excluded.priority, mode = excluded.mode, aim = excluded.aim
    WHERE (w.priority, w.mode, w.aim) IS DISTINCT FROM (excluded.priority, excluded.mode, excluded.aim);
    DELETE FROM {s}.wishes w WHERE w.session = own AND w.bot_id IN (
        SELECT unnest(withdrawn) EXCEPT (SELECT unnest(bots) EXCEPT SELECT unnest(written))
    );

    IF cardinality(written) + cardinality(wished) + cardinality(withdrawn) > 0 OR ended IS NOT NULL THEN
        UPDATE {s}.meta SET number = number + 1;
    END IF;
    -- Delivered when all of this can be seen.
    PERFORM pg_notify({channel} || ':' || name, '') FROM unnest(woken) name;
END
$$;
"""
