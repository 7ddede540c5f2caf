import * as z from 'zod'
import type { Actor } from '../../model/actor.js'
import type { TokenRecord } from '../../model/record.js'
import { callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import type { Asking } from '../access.js'
import { Refusal } from '../fault.js'
import type { NamedId } from '../options.js'
import type { Call, Reply, Route } from '../route.js'
import { namedList } from '../schemas/outputs.js'

/** As many rows as a page of a list may have. */
const MOST = 1000

/** The answer of a host's callback, with ids as tokens hold them. */
const answerShape = z.array(z.object({ id: z.string().min(1).max(200), name: z.string().max(200).optional().catch(undefined) }))

/** `GET /tenants` */
export const listTenants: Route = {
  access: 'actor',
  method: 'GET',
  path: '/tenants',
  operationId: 'listTenants',
  tag: 'Permissions',
  summary: 'The tenants to choose among',
  description:
    'As named by the host, limited to the tenants you act in. If the host names none: those of the newest tokens that you may see.',
  answers: [{ status: 200, description: 'Tenants.', schema: namedList }],
  refusals: [],
  async run({ settings, inside }, asking) {
    const { tenants } = asking.actor
    const mayAct = ({ id }: NamedId): boolean => tenants === '*' || tenants.includes(id)
    if (settings.tenants !== undefined)
      return named(settings.tenants, { deadlineMs: settings.deadlineMs, report: inside.report }, asking.actor, mayAct)
    if (tenants !== '*') return { status: 200, body: { items: sorted(tenants.map((id) => ({ id }))) } }
    return fromTokens(asking, ({ tenantId }) => tenantId)
  },
}

/** `GET /owners` */
export const listOwners: Route = {
  access: 'actor',
  method: 'GET',
  path: '/owners',
  operationId: 'listOwners',
  tag: 'Permissions',
  summary: 'The owners to choose among',
  description: 'As named by the host. If the host names none: those of the newest tokens that you may see.',
  answers: [{ status: 200, description: 'Owners.', schema: namedList }],
  refusals: [],
  run: async ({ settings, inside: { report } }, asking) =>
    settings.owners === undefined
      ? fromTokens(asking, ({ ownerId }) => ownerId)
      : named(settings.owners, { deadlineMs: settings.deadlineMs, report }, asking.actor, () => true),
}

async function named(
  callback: NonNullable<Call['settings']['tenants']>,
  { deadlineMs, report }: { readonly deadlineMs: number; readonly report: Report },
  actor: Actor,
  mayAct: (one: NamedId) => boolean,
): Promise<Reply> {
  let answer: NamedId[]
  try {
    answer = await callOut(
      { what: 'the callback for names', where: 'names', deadlineMs, report },
      () => callback(actor),
      (given) => answerShape.parse(given),
    )
  } catch (error) {
    throw new Refusal('store_unavailable', 'the names are not available at the moment', { cause: error, retryAfterSeconds: 1 })
  }
  const items = sorted(answer.filter(mayAct))
  return { status: 200, body: { items: items.slice(0, MOST), ...(items.length > MOST && { more: true }) } }
}

async function fromTokens({ handle }: Asking, idOf: (record: TokenRecord) => string | undefined): Promise<Reply> {
  const { items, nextCursor } = await handle.list({ limit: MOST })
  const ids = [...new Set(items.flatMap((record) => idOf(record) ?? []))]
  return { status: 200, body: { items: sorted(ids.map((id) => ({ id }))), ...(nextCursor !== undefined && { more: true }) } }
}

const sorted = (all: readonly NamedId[]): NamedId[] => {
  const textOf = ({ id, name }: NamedId): string => name ?? id
  return [...new Map(all.map((one) => [one.id, one])).values()].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
}
