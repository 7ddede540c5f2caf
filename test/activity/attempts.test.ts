import { expect, it } from 'vitest'
import { deciderOf, type Internals } from '../../src/instance.js'
import { instance } from '../latchkey/harness.js'

/** The maximum number of actors counted separately per minute, and of kinds of attempts per actor. */
const [ACTORS, KINDS] = [1000, 8]

function world() {
  const tokens = instance()
  const inside = deciderOf(tokens) as Internals
  const attempt = (id: string, tenant: string, attempt: string): void =>
    inside.noteAttempt({ attempt, code: 'grant_denied', actor: { id, tenants: [tenant], manages: 'own' } })
  const seenIn = async (tenant: string) => {
    await tokens.flush()
    const { items } = await tokens
      .as({ id: 'ann', tenants: [tenant], manages: 'all' })
      .events({ action: 'management.refused', limit: 1000 })
    return items.map(({ actorId, details, count }) => [actorId, details?.attempt ?? details?.attempts, count]).sort()
  }
  return { attempt, seenIn }
}

it('refused actors of one tenant, however many, do not hide refused attempts by actors in another tenant', async () => {
  const { attempt, seenIn } = world()
  for (let at = 0; at < 2 * ACTORS; at += 1) attempt(`u${at}`, 'crowded', 'create')
  attempt('zoe', 'quiet', 'update')
  attempt('zoe', 'quiet', 'rotate')
  expect(await seenIn('quiet')).toEqual([
    ['zoe', 'rotate', 1],
    ['zoe', 'update', 1],
  ])
})

it('attempts by two people with the same ID in two tenants are recorded separately, each in its own tenant', async () => {
  const { attempt, seenIn } = world()
  for (let at = 0; at < KINDS + 2; at += 1) attempt('bob', 'loud', `${at}`)
  attempt('bob', 'quiet', 'update')
  for (let at = 0; at < KINDS + 2; at += 1) attempt('bob', 'third', `${at}`)
  expect(await seenIn('quiet')).toEqual([['bob', 'update', 1]])
  const nine = [...Array.from({ length: KINDS }, (_, at) => ['bob', `${at}`, 1]), ['bob', 'various', 2]]
  expect(await seenIn('loud')).toEqual(nine)
  expect(await seenIn('third')).toEqual(nine)
})
