import type { CreateInput, Latchkey, LatchkeyOptions, Minted, Principal, Verification } from 'latchkey'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { onTestFinished } from 'vitest'
import { deciderOf } from '../../src/instance.js'

export const SCOPES = { 'stock:read': 'See stock', 'stock:write': 'Change stock', 'billing:read': 'See invoices' } as const

export type Scope = keyof typeof SCOPES

/** An instance on a memory store that is closed when the test ends. */
export function instance(options: Partial<LatchkeyOptions<Scope>> = {}): Latchkey<Scope> {
  const tokens = latchkey<Scope>({ prefix: 'acme_test', store: memoryStore(), scopes: SCOPES, logger: false, ...options })
  onTestFinished(() => tokens.close().catch(() => undefined))
  return tokens
}

/** Creates a token with one scope. */
export function mint(tokens: Latchkey<Scope>, input: Partial<CreateInput<Scope>> = {}): Promise<Minted> {
  const given = { name: 'ERP', scopes: ['stock:read'], ...input, idempotencyKey: undefined }
  return tokens.system.create(given as CreateInput<Scope> & { idempotencyKey?: undefined })
}

/** Returns `ok`, or the code of the refusal or error. */
export async function verdict(verification: Promise<Verification> | Verification): Promise<string> {
  try {
    const answer = await verification
    return answer.ok ? 'ok' : answer.code
  } catch (error) {
    return codeOf(error)
  }
}

/** Returns the code of a latchkey error, or the text of anything else. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : `not a latchkey error: ${String(error)}`
}

/** Returns the code and field of a failed call, or `done` if it succeeds. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    const field = error instanceof Error && 'field' in error ? ` ${String(error.field)}` : ''
    return codeOf(error) + field
  }
}

/** Returns the principal of a verification that must succeed. */
export async function principalOf(verification: Promise<Verification> | Verification): Promise<Principal> {
  const answer = await verification
  if (!answer.ok) throw new Error(`refused: ${answer.code}`)
  return answer.principal
}

/** Verifies until the decision comes from the cache, and returns how many verifications that took. */
export async function warm(tokens: Latchkey<Scope>, token: string): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = deciderOf(tokens).decide(token)
    if (!(answer instanceof Promise)) return tries + 1
    await answer
    await pause(1)
  }
  throw new Error('the record was never answered from memory')
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** Waits until a condition holds; fails after five seconds. */
export async function until(what: () => unknown): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (await what()) return
    await pause(5)
  }
  throw new Error(`did not become true: ${String(what)}`)
}

/** The IDs of all events, oldest first. */
export async function trail<S extends string>(tokens: Latchkey<S>): Promise<readonly string[]> {
  const ids: string[] = []
  let after: string | undefined
  do {
    const page = await tokens.system.events({ order: 'oldest', limit: 1000, after })
    ids.push(...page.items.map(({ id }) => id))
    after = page.nextCursor
  } while (after !== undefined)
  return ids
}
