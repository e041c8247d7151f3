/**
 * The first schema of the PostgreSQL store. Everything stands in a schema of its own. Keys and ids sort by byte (`collate "C"`), which is the order
 * of code points. Texts are `storedText`s. A batch stands on the row of its last entry.
 *
 * A group is written by one function, so that a lone caller waits for one round trip. Locks are always taken in the same order, which leaves no way to
 * wait in a circle: rows by key, counters by key, new rows by key, new counters by key; after that nothing waits. Joins with the arrays are nested
 * loops over them (see `prepareSession`), so their order is the order of the locks. A row that was absent when the
 * group was decided cannot be locked; it is inserted instead, and whoever inserted it meanwhile makes the group stale. A row whose absence alone was
 * relied on is inserted and deleted again.
 */

const tables = `
  create table signalbox.meta(name text primary key, value text not null);
  create table signalbox.writers(
    id text collate "C" primary key, fence bigint not null, flush bigint not null, seq bigint not null, head text not null,
    expires_at timestamptz not null, program_schema bigint not null) with (fillfactor = 50);
  create table signalbox.closed_heads(
    writer text collate "C" not null, epoch bigint not null, seq bigint not null, head text not null, primary key(epoch, writer));
  create table signalbox.entries(
    writer text collate "C" not null, epoch bigint not null, seq bigint not null, tenant text collate "C" not null, kind text collate "C" not null,
    at_ms bigint not null, call_id text collate "C", session_id text collate "C", run_id text collate "C", text text not null, sealed bytea,
    batch_count bigint, batch_root text, batch_previous text, batch_head text, primary key(epoch, writer, seq))
    with (toast_tuple_target = 8160);
  alter table signalbox.entries alter column sealed set storage external;
  create index entries_call on signalbox.entries(call_id) where call_id is not null;
  create index entries_session on signalbox.entries(session_id) where session_id is not null;
  create index entries_run on signalbox.entries(run_id) where run_id is not null;
  create index entries_kind on signalbox.entries(kind, epoch, writer, seq) where kind not in ('call-intended', 'call-settled');
  create table signalbox.rows(
    space text collate "C" not null, tenant text collate "C" not null, key text collate "C" not null, version bigint not null,
    body text not null, due_ms bigint, primary key(space, tenant, key)) with (fillfactor = 80);
  create index rows_due on signalbox.rows(space, due_ms, tenant, key) where due_ms is not null;
  create table signalbox.counters(
    space text collate "C" not null, tenant text collate "C" not null, key text collate "C" not null, value bigint not null,
    due_ms bigint, primary key(space, tenant, key)) with (fillfactor = 80);
  create index counters_due on signalbox.counters(space, due_ms) where due_ms is not null;`;

/** Locks the rows that are there, in the order given, in runs that are either shared (only relied on) or exclusive. */
const lockRows = `
  create function signalbox.lock_rows_1(p_space text[], p_tenant text[], p_key text[], p_run_end bigint[], p_run_shared bigint[])
  returns table(place bigint, version bigint, body text, due_ms bigint) language plpgsql as $$
  declare
    first int := 1;
    last int;
  begin
    for run in 1 .. cardinality(p_run_end) loop
      last := p_run_end[run];
      if p_run_shared[run] = 1 then
        return query select u.place + first - 1, l.version, l.body, l.due_ms
          from unnest(p_space[first:last], p_tenant[first:last], p_key[first:last]) with ordinality as u(space, tenant, key, place)
          cross join lateral (select r.version, r.body, r.due_ms from signalbox.rows r
            where r.space = u.space and r.tenant = u.tenant and r.key = u.key for share) l;
      else
        return query select u.place + first - 1, l.version, l.body, l.due_ms
          from unnest(p_space[first:last], p_tenant[first:last], p_key[first:last]) with ordinality as u(space, tenant, key, place)
          cross join lateral (select r.version, r.body, r.due_ms from signalbox.rows r
            where r.space = u.space and r.tenant = u.tenant and r.key = u.key for update) l;
      end if;
      first := last + 1;
    end loop;
  end $$;`;

const lockCounters = `
  create function signalbox.lock_counters_1(p_space text[], p_tenant text[], p_key text[])
  returns table(place bigint, value bigint) language plpgsql as $$
  begin
    return query select u.place, l.value
      from unnest(p_space, p_tenant, p_key) with ordinality as u(space, tenant, key, place)
      cross join lateral (select c.value from signalbox.counters c
        where c.space = u.space and c.tenant = u.tenant and c.key = u.key for update) l;
  end $$;`;

/** What a group is written with, whatever function of the database writes it. */
export const flushParameters = `p_writer text, p_fence bigint, p_flush bigint, p_lease_ms bigint, p_is_durable boolean, p_is_locked boolean,
    p_run_end bigint[], p_run_kind bigint[], p_run_count bigint[], p_absent_rows bigint, p_gone_rows bigint,
    p_absent_counters bigint, p_present_counters bigint, p_entry_count bigint,
    r_space text[], r_tenant text[], r_key text[], r_was bigint[], r_next bigint[], r_body text[], r_due bigint[],
    c_space text[], c_tenant text[], c_key text[], c_was bigint[], c_next bigint[], c_due bigint[],
    p_epoch bigint, p_seq bigint, e_tenant text[], e_kind text[], e_at bigint[], e_call text[], e_session text[], e_run text[],
    e_text text[], e_sealed bytea[], b_root text, b_previous text, b_head text`;

/**
 * The steps that write a group. `r_was` is the version that the group was decided on (0: absent) and `r_next` the one it leaves (0: absent, null: only relied
 * on); `c_was` is null for a counter that was absent. Rows come in runs: 0 is locked, 1 is locked shared, 2 is updated, which locks it too; each says
 * how many of its rows are there. Raises SB002 when the writer's lease is another's, SB001 when what the group was decided on is no longer so; then
 * nothing of it is written.
 */
export const flushSteps = `
    if not p_is_durable then
      perform set_config('synchronous_commit', 'off', true);
    end if;
    update signalbox.writers w set flush = p_flush + 1, seq = p_seq + p_entry_count, head = coalesce(b_head, w.head),
      expires_at = clock_timestamp() + p_lease_ms * interval '1 millisecond'
      where w.id = p_writer and w.fence = p_fence and w.flush = p_flush;
    if not found then
      raise exception 'the lease is lost' using errcode = 'SB002';
    end if;
    for run in 1 .. cardinality(p_run_end) loop
      last := p_run_end[run];
      found_count := p_run_count[run];
      if p_run_kind[run] = 2 then
        update signalbox.rows r set version = u.next, body = u.body, due_ms = u.due
          from unnest(r_space[first:last], r_tenant[first:last], r_key[first:last], r_was[first:last], r_next[first:last], r_body[first:last],
            r_due[first:last]) as u(space, tenant, key, was, next, body, due)
          where r.space = u.space and r.tenant = u.tenant and r.key = u.key and r.version = u.was;
        get diagnostics found_count = row_count;
      elsif not p_is_locked and p_run_kind[run] = 1 then
        perform 1 from unnest(r_space[first:last], r_tenant[first:last], r_key[first:last], r_was[first:last]) as u(space, tenant, key, was)
          cross join lateral (select 1 from signalbox.rows r
            where r.space = u.space and r.tenant = u.tenant and r.key = u.key and r.version = u.was for share) l;
        get diagnostics found_count = row_count;
      elsif not p_is_locked then
        perform 1 from unnest(r_space[first:last], r_tenant[first:last], r_key[first:last], r_was[first:last]) as u(space, tenant, key, was)
          cross join lateral (select 1 from signalbox.rows r
            where r.space = u.space and r.tenant = u.tenant and r.key = u.key and r.version = u.was for update) l;
        get diagnostics found_count = row_count;
      end if;
      if found_count <> p_run_count[run] then
        raise exception 'a row changed' using errcode = 'SB001';
      end if;
      first := last + 1;
    end loop;
    if p_present_counters > 0 then
      update signalbox.counters c set value = u.next, due_ms = coalesce(u.due, c.due_ms)
        from unnest(c_space, c_tenant, c_key, c_was, c_next, c_due) as u(space, tenant, key, was, next, due)
        where c.space = u.space and c.tenant = u.tenant and c.key = u.key and c.value = u.was;
      get diagnostics found_count = row_count;
      if found_count <> p_present_counters then
        raise exception 'a counter changed' using errcode = 'SB001';
      end if;
    end if;
    if p_absent_rows > 0 then
      insert into signalbox.rows(space, tenant, key, version, body, due_ms)
        select u.space, u.tenant, u.key, u.next, coalesce(u.body, ''), u.due
        from unnest(r_space, r_tenant, r_key, r_was, r_next, r_body, r_due) as u(space, tenant, key, was, next, body, due)
        where u.was = 0 on conflict do nothing;
      get diagnostics found_count = row_count;
      if found_count <> p_absent_rows then
        raise exception 'a row appeared' using errcode = 'SB001';
      end if;
    end if;
    if p_absent_counters > 0 then
      insert into signalbox.counters(space, tenant, key, value, due_ms)
        select u.space, u.tenant, u.key, u.next, u.due
        from unnest(c_space, c_tenant, c_key, c_was, c_next, c_due) as u(space, tenant, key, was, next, due)
        where u.was is null on conflict do nothing;
      get diagnostics found_count = row_count;
      if found_count <> p_absent_counters then
        raise exception 'a counter appeared' using errcode = 'SB001';
      end if;
    end if;
    if p_gone_rows > 0 then
      delete from signalbox.rows r using unnest(r_space, r_tenant, r_key, r_next) as u(space, tenant, key, next)
        where u.next = 0 and r.space = u.space and r.tenant = u.tenant and r.key = u.key;
    end if;
    if p_entry_count > 0 then
      insert into signalbox.entries(writer, epoch, seq, tenant, kind, at_ms, call_id, session_id, run_id, text, sealed,
          batch_count, batch_root, batch_previous, batch_head)
        select p_writer, p_epoch, p_seq + u.place, u.tenant, u.kind, u.at_ms, u.call_id, u.session_id, u.run_id, u.text, u.sealed,
          case when u.place = p_entry_count then p_entry_count end, case when u.place = p_entry_count then b_root end,
          case when u.place = p_entry_count then b_previous end, case when u.place = p_entry_count then b_head end
        from unnest(e_tenant, e_kind, e_at, e_call, e_session, e_run, e_text, e_sealed) with ordinality
          as u(tenant, kind, at_ms, call_id, session_id, run_id, text, sealed, place);
    end if;`;

const flush = `
  create function signalbox.flush_1(
    ${flushParameters})
  returns void language plpgsql as $$
  declare
    first int := 1;
    last int;
    found_count bigint;
  begin${flushSteps}
  end $$;`;

/** The SQL of schema 1. Never changed once released. */
export const schema1 = `${tables}${lockRows}${lockCounters}${flush}`;
