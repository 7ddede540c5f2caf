import { StoreUnavailableError } from '../../src/errors.js'
import { deciderOf, type Latchkey } from '../../src/instance.js'
import type { Principal, VerifyContext } from '../../src/model/principal.js'
import { decidedBy } from '../support/decided-by.js'

/** A result of `decide` that no instance should return. Each must cause a 503 unless `code` and `retryAfter` say otherwise. */
export type Fault = { readonly answer: (good: Principal) => unknown; readonly code?: 'rate_limited'; readonly retryAfter?: string }

const fail = (reason: unknown) => (): never => {
  throw reason
}
const reject = (reason: unknown) => (): Promise<never> => Promise.reject(reason)
const wrong = (value: unknown): Fault => ({ answer: () => value })
const later = (value: unknown): Fault => ({ answer: async () => value })

/** Faults by the word that is sent in place of a token. */
export const FAULTS: { readonly [word: string]: Fault } = {
  'fault-throws-error': { answer: fail(new Error('x')) },
  'fault-throws-undefined': { answer: fail(undefined) },
  'fault-throws-null': { answer: fail(null) },
  'fault-throws-route': { answer: fail('route') },
  'fault-throws-unavailable': { answer: fail(new StoreUnavailableError('x')) },
  'fault-throws-retry': { answer: fail({ retryAfterSeconds: 7 }), retryAfter: '7' },
  'fault-rejects-retry': { answer: reject({ retryAfterSeconds: 2.2 }), retryAfter: '3' },
  'fault-rejects-error': { answer: reject(new Error('x')) },
  'fault-rejects-undefined': { answer: reject(undefined) },
  'fault-rejects-null': { answer: reject(null) },
  'fault-rejects-empty': { answer: reject('') },
  'fault-rejects-zero': { answer: reject(0) },
  'fault-rejects-false': { answer: reject(false) },
  'fault-rejects-route': { answer: reject('route') },
  'fault-rejects-router': { answer: reject('router') },
  'fault-undefined': wrong(undefined),
  'fault-null': wrong(null),
  'fault-true': wrong(true),
  'fault-one': wrong(1),
  'fault-text': wrong('ok'),
  'fault-object': wrong({}),
  'fault-list': wrong([]),
  'fault-function': wrong(() => ({ ok: true })),
  'fault-ok-only': wrong({ ok: true }),
  'fault-ok-null': wrong({ ok: true, principal: null }),
  'fault-ok-text': wrong({ ok: true, principal: 'somebody' }),
  'fault-ok-empty': wrong({ ok: true, principal: {} }),
  'fault-ok-no-id': wrong({ ok: true, principal: { tokenId: '', allows: () => true } }),
  'fault-ok-no-allows': wrong({ ok: true, principal: { tokenId: 'x', allows: true } }),
  'fault-ok-one': { answer: (principal) => ({ ok: 1, principal }) },
  'fault-ok-word': { answer: (principal) => ({ ok: 'true', principal }) },
  'fault-ok-missing': { answer: (principal) => ({ principal }) },
  'fault-refused-bare': wrong({ ok: false }),
  'fault-refused-foreign': wrong({ ok: false, code: 'nonsense' }),
  'fault-refused-number': wrong({ ok: false, code: 401 }),
  'fault-refused-inherited': wrong({ ok: false, code: 'constructor' }),
  'fault-refused-proto': wrong({ ok: false, code: '__proto__' }),
  'fault-later-undefined': later(undefined),
  'fault-later-true': later(true),
  'fault-later-object': later({}),
  'fault-later-list': later([]),
  'fault-later-ok-only': later({ ok: true }),
  'fault-later-foreign': later({ ok: false, code: 'nonsense' }),
  'fault-getter': {
    answer: () => ({
      get ok(): boolean {
        throw new Error('getter')
      },
    }),
  },
  'fault-then-throws': {
    answer: () => ({
      // biome-ignore lint/suspicious/noThenProperty: a hostile thenable is the point
      then(): never {
        throw undefined
      },
    }),
  },
  'fault-then-getter': {
    answer: () => ({
      // biome-ignore lint/suspicious/noThenProperty: a hostile thenable is the point
      get then(): never {
        throw 'route'
      },
    }),
  },
  'limited-30': { answer: () => ({ ok: false, code: 'rate_limited', retryAfterSeconds: 30 }), code: 'rate_limited', retryAfter: '30' },
  'limited-half': {
    answer: async () => ({ ok: false, code: 'rate_limited', retryAfterSeconds: 0.5 }),
    code: 'rate_limited',
    retryAfter: '1',
  },
  'limited-zero': { answer: () => ({ ok: false, code: 'rate_limited', retryAfterSeconds: 0 }), code: 'rate_limited', retryAfter: '1' },
  'limited-nan': {
    answer: () => ({ ok: false, code: 'rate_limited', retryAfterSeconds: Number.NaN }),
    code: 'rate_limited',
    retryAfter: '1',
  },
  'limited-long': {
    answer: () => ({ ok: false, code: 'rate_limited', retryAfterSeconds: 1e12 }),
    code: 'rate_limited',
    retryAfter: '86400',
  },
  'limited-bare': { answer: () => ({ ok: false, code: 'rate_limited' }), code: 'rate_limited', retryAfter: '1' },
}

/** Wraps an instance so that `decide` returns the faults for their words and works normally for everything else. */
export function withFaults(tokens: Latchkey, good: () => Principal, extra: { readonly [word: string]: () => unknown } = {}): Latchkey {
  const answers = new Map<unknown, () => unknown>(Object.entries(extra))
  for (const [word, fault] of Object.entries(FAULTS)) answers.set(word, () => fault.answer(good()))
  // The wrong types are intentional.
  const decide = (token: unknown, context: unknown): unknown => {
    const answer = answers.get(token)
    return answer === undefined ? deciderOf(tokens).decide(token, context as VerifyContext) : answer()
  }
  return decidedBy(tokens, decide)
}
