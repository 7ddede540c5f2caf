import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { compileEntry, type Entry } from '../../src/cache/entry.js'
import { type SignalSource, Signals } from '../../src/cache/signals.js'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { Background } from '../../src/store/timer.js'
import { token } from '../../src/testing/store-contract/build.js'
import { pause, until } from '../latchkey/harness.js'

const catalogue = compileCatalogue({ scopes: { 'inventory:read': 'See stock' }, groups: {}, implies: {}, allowWildcard: false })

function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc === 'function') gc()
}

/** Signals whose records are read like this. Work with a token always continues if its record cannot be read. */
function createSignals(read: SignalSource['read']): Signals {
  return new Signals({
    report: () => undefined,
    read,
    follow: () => undefined,
    bridges: () => true,
    clock: () => Date.now(),
    background: new Background(),
    pauseMs: 5,
    unreadMs: 60_000,
  })
}

function watching(): { signals: Signals; entry: () => Entry; revoke: (id: string) => void } {
  const revoked = new Set<string>()
  const entries = new Map<string, Entry>()
  const signals = createSignals(async (id) => {
    const entry = entries.get(id)
    return entry && Object.create(entry, { lifecycle: { value: revoked.has(id) ? { revokedAt: 1 } : {} } })
  })
  return {
    signals,
    entry() {
      const made = compileEntry(token('acme_test'), catalogue)
      entries.set(made.id, made)
      return made
    },
    revoke(id) {
      revoked.add(id)
      signals.changed(id)
    },
  }
}

describe('request signals', () => {
  it('request signals are dropped when their requests end, even if listeners are attached', async () => {
    const { signals, entry, revoke } = watching()
    const one = entry()
    const requests = Array.from({ length: 100 }, () => signals.open(one))
    let fired = 0
    for (const { signal } of requests) signal.addEventListener('abort', () => (fired += 1), { once: true })
    expect(signals.size).toBe(1)
    for (const { detach } of requests.slice(1)) detach()
    revoke(one.id)
    await until(() => fired > 0)
    await pause(10)
    expect(fired).toBe(1)
    expect(signals.size).toBe(0)
  })

  it('the cache stops watching a token when all of its requests are over', () => {
    const { signals, entry } = watching()
    for (let made = 0; made < 1000; made += 1) {
      const { signal, detach } = signals.open(entry())
      signal.addEventListener('abort', () => undefined)
      detach()
      detach()
    }
    expect(signals.size).toBe(0)
  })

  it('the cache watches a token again for its next request', async () => {
    const { signals, entry, revoke } = watching()
    const one = entry()
    signals.open(one).detach()
    const { signal } = signals.open(one)
    await pause(5)
    revoke(one.id)
    await until(() => signal.aborted)
  })

  it('drops request signals that nothing references or listens to, even if the end of the request is never reported', async () => {
    const { signals, entry } = watching()
    for (let made = 0; made < 500; made += 1) void signals.open(entry()).signal.aborted
    await until(() => {
      collect()
      return signals.size < 10
    })
  })

  it('a request signal with a listener fires even if nothing references the signal', async () => {
    const { signals, entry, revoke } = watching()
    const one = entry()
    let fired = false
    signals.open(one).signal.addEventListener('abort', () => {
      fired = true
    })
    for (let round = 0; round < 5; round += 1) {
      collect()
      await pause(5)
    }
    revoke(one.id)
    await until(() => fired)
  })

  it('a request signal fires through AbortSignal.any while something references the combined signal', async () => {
    const { signals, entry, revoke } = watching()
    const one = entry()
    const { signal } = signals.open(one)
    let fired = false
    AbortSignal.any([signal, new AbortController().signal]).addEventListener('abort', () => {
      fired = true
    })
    for (let round = 0; round < 5; round += 1) {
      collect()
      await pause(5)
    }
    revoke(one.id)
    await until(() => fired)
    expect(signal.aborted).toBe(true)
  })

  it('a request signal is dropped once its last listener is removed', async () => {
    const { signals, entry } = watching()
    const listen = () => undefined
    const stop = new AbortController()
    const removed = () => {
      const { signal } = signals.open(entry())
      signal.addEventListener('abort', listen)
      signal.removeEventListener('abort', listen)
    }
    const ended = () => signals.open(entry()).signal.addEventListener('abort', listen, { signal: stop.signal })
    removed()
    ended()
    stop.abort()
    await until(() => {
      collect()
      return signals.size === 0
    })
  })

  it('a listener whose own signal was already aborted does not keep a request signal alive', async () => {
    const { signals, entry } = watching()
    for (let made = 0; made < 500; made += 1) {
      signals.open(entry()).signal.addEventListener('abort', () => undefined, { signal: AbortSignal.abort() })
    }
    await until(() => {
      collect()
      return signals.size < 10
    })
  })

  it('request signals accept null as listener options, as every other AbortSignal does', async () => {
    const { signals, entry, revoke } = watching()
    const one = entry()
    let fired = 0
    const listen = () => (fired += 1)
    const { signal } = signals.open(one)
    Reflect.apply(signal.addEventListener, signal, ['abort', listen, null])
    revoke(one.id)
    await until(() => fired === 1)
  })

  it('fires although bulk changes come faster than the reads of hundreds of other tokens', async () => {
    const ended = new Set<string>()
    const signals = createSignals(
      (id) =>
        new Promise((resolve) =>
          setTimeout(
            () => resolve(Object.create(all.get(id) ?? null, { lifecycle: { value: ended.has(id) ? { revokedAt: 1 } : {} } })),
            30,
          ),
        ),
    )
    const all = new Map<string, Entry>()
    const open = (tenantId: string): { entry: Entry; signal: AbortSignal } => {
      const entry = compileEntry({ ...token('acme_test'), tenantId }, catalogue)
      all.set(entry.id, entry)
      return { entry, signal: signals.open(entry).signal }
    }
    const others = Array.from({ length: 400 }, () => open('many'))
    const one = open('one')
    const disturb = (): void => signals.checkWhere([{ prefix: 'acme_test', tenantIds: ['none'] }])
    disturb()
    const storm = setInterval(disturb, 1)
    ended.add(one.entry.id)
    signals.changed(one.entry.id)
    await until(() => one.signal.aborted).finally(() => clearInterval(storm))
    expect(others.some(({ signal }) => signal.aborted)).toBe(false)
    signals.stop()
  })

  it('reads a token again if a bulk change that may match it arrives during the read', async () => {
    const one = compileEntry(token('acme_test'), catalogue)
    const rotated = (lifecycle: object): Entry => Object.create(one, { rootId: { value: one.id }, lifecycle: { value: lifecycle } })
    const reads: ((entry: Entry) => void)[] = []
    const signals = createSignals(() => new Promise((resolve) => reads.push(resolve)))
    const { signal } = signals.open(one)
    signals.checkWhere([{ prefix: 'acme_test', rootId: one.id }])
    reads[0]?.(rotated({}))
    await until(() => reads.length === 2)
    reads[1]?.(rotated({ revokedAt: 1 }))
    await until(() => signal.aborted)
  })
})
