import * as z from 'zod'
import type { Actor } from '../../model/actor.js'
import type { Page } from '../../model/record.js'
import { toPlain, whyNotPlain } from '../../policy/plain-text.js'
import { readShape } from '../../policy/shape.js'
import { type CallSite, callOut } from '../../store/deadline.js'
import { holds, type Names, pageOfNames } from '../../verbs/lib/names.js'
import { type OwnersGiven, ownersShape } from '../../verbs/owners.js'
import { type NamesGiven, type ShapeOf, tenantsShape } from '../../verbs/tenants.js'
import { Refusal } from '../fault.js'
import type { NamedId } from '../options.js'
import { asInput, type Call, type Reply, type Route } from '../route.js'
import { namePage } from '../schemas/outputs.js'

/** Maximum number of IDs per request for names. */
const MOST_IDS = 100

/** A name from the host, without the characters that are not allowed in our names. A name without visible characters counts as absent. */
const nameShape = z
  .string()
  .max(200)
  .transform((name) => (whyNotPlain(name, 0, 200) === undefined ? name : toPlain(name)) || undefined)

/** The result of a host's callback, with IDs as tokens store them. */
const answerShape = z.array(z.object({ id: z.string().min(1).max(200), name: nameShape.optional().catch(undefined) }))

const ids: z.ZodType<readonly string[] | undefined> = z
  .array(z.string().min(1).max(200))
  .min(1)
  .max(MOST_IDS)
  .meta({ description: `Only these IDs, at most ${MOST_IDS}, with the names that the host provides. Unknown IDs are omitted.` })
  .optional()

type Ids = { ids?: readonly string[] | undefined }
const tenantsQuery: ShapeOf<NamesGiven & Ids> = z.strictObject({ ...tenantsShape.shape, ids })
const ownersQuery: ShapeOf<OwnersGiven & Ids> = z.strictObject({ ...ownersShape.shape, ids })

/** `GET /tenants` */
export const listTenants: Route = {
  access: 'actor',
  method: 'GET',
  path: '/tenants',
  operationId: 'listTenants',
  tag: 'Permissions',
  summary: 'List the tenants to choose from',
  description:
    'The tenants that the host provides, sorted by name and limited to those that you act in. If it provides none: the tenants that you act in or, if you act in all of them, those with tokens that you can see.',
  query: tenantsQuery,
  answers: [{ status: 200, description: 'One page.', schema: namePage }],
  refusals: [],
  examples: () => [{ name: 'search', summary: 'By part of the name or ID', query: { search: 'ac', limit: 20 } }],
  async run({ settings, inside, query, allowance }, { actor, handle }) {
    const { ids, ...given } = readShape(tenantsQuery, query, 'query')
    if (settings.tenants === undefined) return unnamed(ids === undefined ? await handle.tenants(asInput(given)) : { items: [] })
    const { tenants } = settings
    const named = await ask(siteOf(settings, inside, allowance), () => tenants(actor, askedFor(given.search, ids)))
    const reached = new Set(actor.tenants)
    return await pageOf(
      named.filter(({ id }) => actor.tenants === '*' || reached.has(id)),
      { ...given, ids },
      actor,
    )
  },
}

/** `GET /owners` */
export const listOwners: Route = {
  access: 'actor',
  method: 'GET',
  path: '/owners',
  operationId: 'listOwners',
  tag: 'Permissions',
  summary: 'List the owners to choose from',
  description:
    'The owners that the host provides, sorted by name. If it provides none: the owners of tokens that you can see. If you act in several tenants, an owner with tokens in several of them can appear on more than one page.',
  query: ownersQuery,
  answers: [{ status: 200, description: 'One page.', schema: namePage }],
  refusals: [],
  examples: () => [{ name: 'tenant', summary: 'Of one tenant', query: { tenantId: 'acme', limit: 20 } }],
  async run({ settings, inside, query, allowance }, { actor, handle }) {
    const { ids, ...given } = readShape(ownersQuery, query, 'query')
    if (settings.owners === undefined) return unnamed(ids === undefined ? await handle.owners(asInput(given)) : { items: [] })
    const { owners } = settings
    const { tenantId } = given
    if (tenantId !== undefined && actor.tenants !== '*' && !actor.tenants.includes(tenantId)) {
      // The host may assume that the actor acts in the tenant. This call checks it and records a refused attempt.
      await handle.owners(asInput({ tenantId }))
      return await pageOf([], { ...given, ids }, actor)
    }
    const asked = { ...askedFor(given.search, ids), ...(tenantId !== undefined && { tenantId }) }
    return await pageOf(await ask(siteOf(settings, inside, allowance), () => owners(actor, asked)), { ...given, ids }, actor)
  },
}

const askedFor = (search: string | undefined, ids: readonly string[] | undefined) => ({
  ...(search !== undefined && { search }),
  ...(ids !== undefined && { ids }),
})

const unnamed = ({ items, nextCursor }: Page<string>): Reply => ({
  status: 200,
  body: { items: items.map((id) => ({ id })), ...(nextCursor !== undefined && { nextCursor }) },
})

function siteOf({ deadlineMs }: Call['settings'], { report }: Call['inside'], { leftMs }: Call['allowance']): CallSite {
  return { what: 'the callback for names', where: 'names', deadlineMs, leftMs, report }
}

async function ask(site: CallSite, call: () => unknown): Promise<readonly NamedId[]> {
  try {
    return await callOut(site, call, (given) => answerShape.parse(given))
  } catch (error) {
    throw new Refusal('store_unavailable', 'the names are not available at the moment', { cause: error, retryAfterSeconds: 1 })
  }
}

/** Returns one page of the host's list, ordered by name. It starts after the last name of the previous page, even if the host's list has since changed. */
async function pageOf(given: readonly NamedId[], asked: OwnersGiven & Ids, { id: actorId, tenants }: Actor): Promise<Reply> {
  const { ids, search = '', tenantId, limit, cursor } = asked
  const known = new Map(given.map((one) => [one.id, one]))
  const found = [...known.values()]
    .filter(({ id, name = id }) => (ids === undefined || ids.includes(id)) && (holds(name, search) || holds(id, search)))
    .map(({ id, name = id }) => ({ value: id, place: [name, id] as const }))
    .sort((a, b) => (comesBefore(a.place, b.place) ? -1 : 1))
  const names: Names = {
    parts: 2,
    cost: 0,
    step: async (after) => ({ found: after === undefined ? found : found.filter(({ place }) => comesBefore(after, place)) }),
  }
  const page = await pageOfNames(names, { limit, cursor }, ['named', search, tenantId, ids, actorId, tenants])
  return { status: 200, body: { ...page, items: page.items.map((id) => known.get(id)), named: true } }
}

function comesBefore([a = '', aId = '']: readonly string[], [b = '', bId = '']: readonly string[]): boolean {
  return a === b ? aId < bId : a < b
}
