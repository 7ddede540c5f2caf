import type { Latchkey, Limiter, LimiterAnswer, RateLimit, RateLimitOptions } from 'latchkey'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { instance, type Scope } from '../latchkey/harness.js'

/** An instance with limits. By default, a failing limiter refuses. */
export function limited(limits: readonly RateLimit[], options: Partial<Parameters<typeof instance>[0]> = {}): Latchkey<Scope> {
  return instance({ rateLimit: { limits, onFailure: 'refuse' }, ...options })
}

/** A limit by token, in memory. */
export function perToken(points: number, duration = 60): RateLimit {
  return { name: 'token', by: 'token', limiter: new RateLimiterMemory({ points, duration }) }
}

/** Options with one limit whose limiter runs `call` instead of counting. */
export function broken(call: () => unknown, onFailure: RateLimitOptions['onFailure']): RateLimitOptions {
  const method = call as Limiter['consume']
  return {
    limits: [{ name: 'token', by: 'token', limiter: { points: 5, duration: 60, consume: method, penalty: method, reward: method } }],
    onFailure,
  }
}

/** A synchronous limiter with visible counts. */
export function syncLimiter(points: number): Limiter & { readonly counts: Map<string, number> } {
  const counts = new Map<string, number>()
  const add = (key: string, by: number): LimiterAnswer => {
    const consumedPoints = (counts.get(key) ?? 0) + by
    counts.set(key, consumedPoints)
    return { consumedPoints, remainingPoints: Math.max(points - consumedPoints, 0), msBeforeNext: 30_000 }
  }
  return {
    points,
    duration: 60,
    counts,
    consume(key, by) {
      const answer = add(key, by)
      if (answer.consumedPoints > points) throw answer
      return answer
    },
    penalty: add,
    reward: (key, by) => add(key, -by),
  }
}
