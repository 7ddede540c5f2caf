import type { History } from './history.js'
import type { Pair } from './pair.js'

const CHANGES = "'token.created', 'token.updated', 'token.rotated', 'token.revoked'"

type Row = { readonly [column: string]: unknown }

/** Compares the tokens with the audit log. Each change must have one event, each event its change, and everything acknowledged must exist. */
export const auditProblems = async (place: Pair, history: History): Promise<{ readonly problems: string[]; readonly events: number }> => {
  const tokens = await place.query(`select t.id, t.version::int as version, t.revoked_at is not null as ended,
    (select count(*)::int from latchkey_events e where e.token_id = t.id and e.action in (${CHANGES})) as changes,
    (select count(*)::int from latchkey_events e where e.token_id = t.id and e.action in ('token.revoked', 'token.rotated')) as ends,
    (select count(*)::int from latchkey_events e where e.tenant_id = t.tenant_id and e.action = 'tokens.revoked'
      and e.seq > (select min(seq) from latchkey_events c where c.token_id = t.id and c.action in (${CHANGES}))) as bulk
    from latchkey_tokens t`)
  const problems: string[] = []
  const byId = new Map<unknown, Row>(tokens.map((row) => [row.id, row]))
  for (const { id, version, ended, changes, ends, bulk } of tokens) {
    if (version !== Number(changes) + Number(bulk))
      problems.push(`${id} has version ${version} and ${Number(changes) + Number(bulk)} events`)
    if (Number(ends) + Number(bulk) !== (ended ? 1 : 0))
      problems.push(`${id} has ${Number(ends) + Number(bulk)} events of its end, ended: ${ended}`)
  }
  for (const { target, endedAt } of history.lives.values()) {
    const row = byId.get(target.id)
    if (row === undefined) problems.push(`${target.id} was acknowledged but does not exist`)
    else if (endedAt !== undefined && row.ended !== true) problems.push(`the end of ${target.id} was acknowledged but undone`)
  }
  const orphans = await place.query(`select count(*)::int as n from latchkey_events e where e.action in (${CHANGES})
    and not exists (select 1 from latchkey_tokens t where t.id = e.token_id)`)
  if (orphans[0]?.n !== 0) problems.push(`${orphans[0]?.n} events belong to tokens that do not exist`)
  const counted = await place.query('select count(*)::int as n from latchkey_events')
  return { problems, events: Number(counted[0]?.n) }
}
