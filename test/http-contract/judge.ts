import { bodyOf, challengeOf, detailsOf, OUTCOMES } from './outcomes.js'
import type { Expectation, Vector, VectorGroup } from './vector.js'
import { exchange, methodOf, type WireResponse } from './wire.js'
import type { World } from './world.js'

const OPENINGS: { readonly [site: string]: string } = {
  apiKey: 'ApiKey realm="api", header="x-api-key"',
  realm: 'Bearer realm="The \\"API\\" \\\\ one"',
}

const FURTHER: { readonly [site: string]: string } = {
  hosted: ', ApiKey realm="api", header="x-api-key", Basic realm="api", charset="UTF-8"',
}

const HOW_TO: { readonly [site: string]: string } = {
  apiKey: 'x-api-key: <token>',
  hosted: 'Authorization: Bearer <token> or x-api-key: <token> or Authorization: Basic with the token as user name and an empty password',
}

/** Sends a vector and returns the problem with the result, if there is one. */
export async function judge(world: World, site: VectorGroup['site'], vector: Vector): Promise<readonly string[]> {
  world.journal.entries.length = 0
  let response: WireResponse | undefined
  try {
    const responses = await exchange(world.port, world.fill(vector.request))
    if (responses.length > 1) return [`one request got ${responses.length} responses`]
    response = responses[0]
  } catch (error) {
    if (!('closed' in vector.expect)) return [`the exchange failed: ${error instanceof Error ? error.message : String(error)}`]
  }
  const head = methodOf(vector.request) === 'HEAD'
  const { expect } = vector
  if ('closed' in expect) return closedFaults(world, response)
  if (response === undefined) return ['no answer']
  return 'ran' in expect ? ranFaults(world, response, expect, head) : refusedFaults(world, response, expect, site, head)
}

function closedFaults(world: World, response: WireResponse | undefined): readonly string[] {
  const ran = world.journal.entries.filter(({ guarded }) => guarded)
  const faults = ran.map(({ route, tokenId }) => `the handler ${route} ran, as ${tokenId}`)
  return response?.body.includes('"principal":{') ? [...faults, 'a principal was answered'] : faults
}

function ranFaults(world: World, response: WireResponse, expect: Extract<Expectation, { ran: string }>, head: boolean): readonly string[] {
  const known = expect.as === undefined ? undefined : world.known(expect.as)
  const journal = world.journal.entries.map(({ route, tokenId }) => `${route} as ${tokenId}`).join(', ')
  const faults = [
    differs('status', response.status, 200),
    differs('the handlers that ran', journal, `${expect.ran} as ${known?.id}`),
    differs('content-type', response.headers['content-type'], 'application/json'),
  ]
  if (!head) {
    const body = parse(response.body)
    faults.push(
      differs('the principal', idOf(body, 'principal'), known?.id),
      differs('the principal before a pause', idOf(body, 'before'), known?.id),
    )
  }
  return faults.filter((fault) => fault !== undefined)
}

function refusedFaults(
  world: World,
  response: WireResponse,
  expect: Extract<Expectation, { refused: string }>,
  site: VectorGroup['site'],
  head: boolean,
): readonly string[] {
  const code = expect.refused
  const { status } = OUTCOMES[code]
  const retries = status === 503 || status === 429
  const retryAfter = expect.retryAfter ?? (retries ? '1' : undefined)
  const shaped = site === 'shaped' && code !== 'misconfigured'
  const { headers } = response
  // Servers that join repeated fields leave a credential that is malformed for a different reason.
  const details = detailsOf(code, HOW_TO[site])
  const told = `${headers['www-authenticate']} ${response.body}`
  const detail = details.find((text) => told.includes(text)) ?? details.join(' or ')
  const body = shaped ? JSON.stringify({ error: { code, status } }) : bodyOf(code, detail)
  return [
    differs('status', response.status, status),
    differs(
      'www-authenticate',
      headers['www-authenticate'],
      challengeOf(code, detail, OPENINGS[site] ?? 'Bearer realm="api"', expect.scope, FURTHER[site]),
    ),
    differs('retry-after', headers['retry-after'], retryAfter),
    differs('ratelimit', headers.ratelimit, status === 429 ? `"token";r=0;t=${retryAfter}` : undefined),
    differs('cache-control', headers['cache-control'], 'no-store'),
    differs('content-type', headers['content-type'], shaped ? 'application/json' : 'application/problem+json'),
    differs('body', response.body, head ? '' : body),
    differs('the handlers that ran', world.journal.entries.map(({ route }) => route).join(', '), ''),
  ].filter((fault) => fault !== undefined)
}

function differs(what: string, actual: unknown, expected: unknown): string | undefined {
  return actual === expected ? undefined : `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`
}

function idOf(body: unknown, part: string): unknown {
  const principal: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, part) : undefined
  return typeof principal === 'object' && principal !== null ? Reflect.get(principal, 'tokenId') : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
