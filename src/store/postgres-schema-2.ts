/**
 * The second schema: what is not there is relied on without writing anything. Every call that changes something relies on rows that are nearly always
 * absent (nobody took its user's roles away, no switch is turned). Schema 1 inserts and deletes such a row in each group, which costs more than all else that a
 * gate writes, leaves a dead row behind, and makes the gates of all processes wait for each other, since the switch for everything is one row.
 *
 * In the spaces that are guarded, a group shares a lock of the space while it relies on absence, and whoever makes a row in it holds that lock alone. A
 * trigger sees to it for programs that know only schema 1; this program takes its locks first, before any row is locked, always in the same order, so
 * nobody waits in a circle.
 */

import { flushParameters, flushSteps } from "./postgres-schema-1.ts";

/** Spaces in which rows appear rarely and are relied on as absent by many. Whoever makes a row in one waits for the groups under way. */
export const guardedSpaces: readonly string[] = ["principal", "read-only"];

// Locks of two numbers; the other of this store has one, so they never meet.
const lockClass = 5_280_442;

const guards = `
  create function signalbox.guard_2(p_space text[], p_is_own bigint[]) returns void language plpgsql as $$
  begin
    for index in 1 .. cardinality(p_space) loop
      if p_is_own[index] = 1 then
        perform pg_advisory_xact_lock(${lockClass}, hashtext(p_space[index]));
      else
        perform pg_advisory_xact_lock_shared(${lockClass}, hashtext(p_space[index]));
      end if;
    end loop;
  end $$;
  create function signalbox.guard_row_2() returns trigger language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(${lockClass}, hashtext(new.space));
    return new;
  end $$;
  create trigger guard_2 before insert on signalbox.rows for each row
    when (new.space in (${guardedSpaces.map((space) => `'${space}'`).join(", ")}) and new.version > 0) execute function signalbox.guard_row_2();`;

/**
 * Writes a group as `flush_1` does, when the rows `a_…` are still absent. Each statement sees what was committed before it, and nobody makes such a row while
 * the lock is held.
 */
const flush = `
  create function signalbox.flush_2(
    p_guard text[], p_guard_own bigint[], a_space text[], a_tenant text[], a_key text[],
    ${flushParameters})
  returns void language plpgsql as $$
  declare
    first int := 1;
    last int;
    found_count bigint;
  begin
    if cardinality(p_guard) > 0 then
      perform signalbox.guard_2(p_guard, p_guard_own);
    end if;
    if cardinality(a_key) > 0 then
      perform 1 from unnest(a_space, a_tenant, a_key) as u(space, tenant, key)
        cross join lateral (select 1 from signalbox.rows r where r.space = u.space and r.tenant = u.tenant and r.key = u.key) l;
      if found then
        raise exception 'a row appeared' using errcode = 'SB001';
      end if;
    end if;${flushSteps}
  end $$;`;

/** The SQL of schema 2. Never changed once released. */
export const schema2 = `${guards}${flush}`;
