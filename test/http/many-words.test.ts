import { authenticate, management } from 'latchkey/web'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { instance } from '../latchkey/harness.js'

/** A caller can send about 16 KB of header fields, in which a word can take two characters. */
const MOST = 16_000
const filled = (word: (at: number) => string): string =>
  Array.from({ length: 4_000 }, (_, at) => word(at))
    .join(' ')
    .slice(0, MOST)

const FIELDS: readonly (readonly [what: string, value: string])[] = [
  ['words that are not base64', filled((at) => `_${at}-`)],
  ['one word, repeated', filled(() => 'secretword')],
  ['words in base64', filled((at) => btoa(`user${at}:secret`))],
  ['broken percent escapes', filled((at) => `%ff%ff${at}`)],
  ['Basic credentials that are not base64', filled((at) => `basic _${at % 7}`)],
  ['one word', '4kQ0tXb2LrVn8ZcD'.repeat(MOST / 16)],
  ['different Basic credentials', filled((at) => `basic ${btoa(`u${at}:p`)}`)],
]

// Each word that is decoded takes time, most of all if the decoder throws, and the caller chooses the number of words.
describe('a request with thousands of words in its header fields', () => {
  afterEach(() => vi.restoreAllMocks())

  /** Counts the decoded words, and those that made the decoder throw. */
  function watch() {
    const [base64, percent] = [globalThis.atob, globalThis.decodeURIComponent]
    const calls = { made: 0, thrown: 0 }
    const counted =
      (decode: (text: string) => string) =>
      (text: string): string => {
        calls.made += 1
        try {
          return decode(text)
        } catch (error) {
          calls.thrown += 1
          throw error
        }
      }
    vi.spyOn(globalThis, 'atob').mockImplementation(counted(base64))
    vi.spyOn(globalThis, 'decodeURIComponent').mockImplementation(counted(percent))
    return calls
  }

  it.each(FIELDS)('a cookie of %s takes few decoding steps when the session callback fails, and no report quotes it', async (_, cookie) => {
    const reports: unknown[] = []
    const tokens = instance({ onError: (report) => reports.push(report) })
    const session = ({ headers }: Request): undefined => {
      throw new Error(`cannot read the cookie ${headers.get('cookie')}`)
    }
    const calls = watch()
    const { response } = await authenticate(tokens, new Request('https://api.example/', { headers: { cookie } }), { session })
    expect(response?.status).toBe(503)
    expect(calls.made).toBeLessThan(600)
    expect(calls.thrown).toBeLessThan(300)
    expect(reports).toHaveLength(1)
    const written = JSON.stringify(reports, (_key, value) => (value instanceof Error ? [value.message, value.stack, value.cause] : value))
    for (const word of cookie.split(' ').slice(0, 500)) if (word.length > 6) expect(written).not.toContain(word)
    await tokens.close()
  })

  it.each(FIELDS)('the management API refuses %s as a credential after few decoding steps', async (_, authorization) => {
    const tokens = instance({})
    const api = management(tokens, { mountPath: '/tokens', actor: () => undefined })
    const calls = watch()
    const { status } = await api(new Request('https://api.example/tokens/', { headers: { authorization } }))
    expect([401, 403]).toContain(status)
    expect(calls.made).toBeLessThan(600)
    expect(calls.thrown).toBeLessThan(10)
    await tokens.close()
  })
})
