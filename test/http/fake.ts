import type { Latchkey, Principal, Verification } from 'latchkey'
import type { Platform } from '../../src/http/request.js'
import { type Decider, registerDecider } from '../../src/instance.js'

/** A request in the tests of the layer below the adapters. */
export type FakeRequest = { readonly headers: readonly string[]; readonly ip?: string; readonly method?: string }

/** Reads fake requests. `trusts` is the framework's trust-proxy setting. */
export function fakePlatform(trusts?: boolean): Platform<FakeRequest> {
  return {
    read: ({ method = 'GET', headers, ip }) => ({ method, headers, ip }),
    trustsProxy: () => trusts,
  }
}

export const withToken = (token = 'good'): FakeRequest => ({ headers: ['Authorization', `Bearer ${token}`] })

/** A principal with these scopes and resources. */
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

/** The part of an instance that a guard uses. It records counted uses in `uses` and reported faults in `faults`. */
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
