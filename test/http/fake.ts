import type { Latchkey, Principal, Verification } from 'latchkey'
import type { Platform } from '../../src/http/request.js'
import { type Decider, registerDecider } from '../../src/instance.js'

/** A request as the tests of the layer under the adapters make it. */
export type FakeRequest = { readonly headers: readonly string[]; readonly ip?: string; readonly method?: string }

/** Reads fake requests; `trusts` is the framework's trust-proxy setting. */
export function fakePlatform(trusts?: boolean): Platform<FakeRequest> {
  return {
    read: ({ method = 'GET', headers, ip }) => ({ method, headers, ip }),
    trustsProxy: () => trusts,
  }
}

export const withToken = (token = 'good'): FakeRequest => ({ headers: ['Authorization', `Bearer ${token}`] })

/** A principal that holds some scopes and, in each named dimension, some values. */
export function fakePrincipal(
  scopes: readonly string[],
  resources: Readonly<Record<string, readonly string[]>> = {},
  tokenId = 't1',
): Principal {
  return {
    kind: 'token',
    tokenId,
    name: tokenId,
    scopes,
    signal: new AbortController().signal,
    allows: (scope, asked = {}) =>
      scopes.includes(scope) &&
      Object.entries(asked).every(([dimension, values]) => [values].flat().every((value) => resources[dimension]?.includes(value) ?? true)),
  }
}

type Fake = Latchkey & { readonly uses: unknown[]; readonly faults: { readonly where: string; readonly error: unknown }[] }

/** As much of an instance as a guard uses. Uses that it counts are kept in `uses`, faults that it reports in `faults`. */
export function fakeTokens(decide: (token: unknown, context: unknown) => unknown, more: Partial<Decider> = {}): Fake {
  const uses: unknown[] = []
  const faults: Fake['faults'] = []
  const fake = { uses, faults } as unknown as Fake
  registerDecider(fake, {
    report: (where, error) => void faults.push({ where, error }),
    catalogue: { 'a:read': 'Read', 'a:write': 'Write' },
    decide: decide as Decider['decide'],
    countUse: (principal, use) => void uses.push({ tokenId: principal.tokenId, ...use }),
    ...more,
  })
  return fake
}

export const allowing = (principal: Principal): Verification => ({ ok: true, principal })
