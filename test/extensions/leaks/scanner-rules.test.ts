import { latchkey } from 'latchkey'
import { exampleToken, scannerRules } from 'latchkey/leaks'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { parseAnyToken } from '../../../src/token/parse.js'

const mint = async (prefix: string): Promise<string> => {
  const tokens = latchkey({ prefix, store: memoryStore(), scopes: { a: 'b' } })
  return (await tokens.system.create({ name: 'x', scopes: ['a'] })).token
}

describe('scanner rules', () => {
  it('the scanner pattern matches tokens of the given prefixes anywhere in text, and nothing longer', async () => {
    const { pattern } = scannerRules(['acme_live', 'acme_test'])
    const found = (text: string): string | undefined => new RegExp(pattern).exec(text)?.[1]
    for (const prefix of ['acme_live', 'acme_test']) {
      const token = await mint(prefix)
      for (const text of [token, `TOKEN=${token}\n`, `"${token}"`, `Bearer ${token},`, `https://x/?t=${token}&y`])
        expect(found(text)).toBe(token)
      expect(found(`${token}x`)).toBeUndefined()
      expect(found(`x${token}`)).toBeUndefined()
      expect(found(token.slice(0, -1))).toBeUndefined()
    }
    expect(found(await mint('other'))).toBeUndefined()
  })

  it('scannerRules() generates files that gitleaks, trufflehog and secretlint can read', () => {
    const { gitleaks, trufflehog, secretlint } = scannerRules(['acme_live'])
    expect(gitleaks).toContain('id = "acme-live-token"')
    expect(gitleaks).toContain(`regexes = ['''${exampleToken('acme_live')}''']`)
    expect(trufflehog).toContain('name: acme_live-token')
    expect(JSON.parse(secretlint)).toMatchObject({ rules: [{ id: '@secretlint/secretlint-rule-pattern' }] })
  })

  it('every scanner looks at text that has a token of any of the prefixes, each of which it names once', async () => {
    const prefixes = ['acme_live', 'beta', 'acme_test', 'acme_live']
    const { gitleaks, trufflehog } = scannerRules(prefixes)
    // Both scanners apply a rule only to text that contains one of its keywords, whatever the case.
    const keywords = {
      gitleaks: JSON.parse(/^keywords = (.*)$/m.exec(gitleaks)?.[1] ?? '') as string[],
      trufflehog: [...trufflehog.matchAll(/^ {6}- (\S+)$/gm)].map(([, keyword = '']) => keyword),
    }
    for (const named of Object.values(keywords)) expect(named).toEqual(['acme_live_', 'beta_', 'acme_test_'])
    const regex = new RegExp(/token: '(.*)'/.exec(trufflehog)?.[1] ?? '')
    for (const prefix of prefixes) {
      const line = `TOKEN=${await mint(prefix)}\n`
      expect(regex.test(line)).toBe(true)
      for (const named of Object.values(keywords)) expect(named.some((keyword) => line.toLowerCase().includes(keyword))).toBe(true)
    }
  })

  it.each([[[]], [['Acme']], [['a.*']], [["a'''"]]])('scannerRules() rejects the invalid prefixes %j', (prefixes) => {
    expect(() => scannerRules(prefixes)).toThrow(expect.objectContaining({ code: 'invalid_input' }))
  })
})

describe('example tokens', () => {
  it('exampleToken() returns a fixed, well-formed token that is never valid, with or without a pepper', async () => {
    const example = exampleToken('acme_live')
    expect(example).toBe(exampleToken('acme_live'))
    expect(parseAnyToken(example)).toMatchObject({ prefix: 'acme_live' })
    let calls = 0
    const store = memoryStore()
    const find = (ids: readonly string[]) => {
      calls += 1
      return store.find(ids)
    }
    const counting = { ...store, find }
    for (const pepper of [undefined, 'a pepper of at least thirty-two characters']) {
      const tokens = latchkey({ prefix: 'acme_live', store: counting, scopes: { a: 'b' }, ...(pepper !== undefined && { pepper }) })
      expect(await tokens.verify(example)).toEqual({ ok: false, code: 'token_malformed' })
    }
    expect(calls).toBe(0)
  })

  it('exampleToken() rejects an invalid prefix', () => {
    expect(() => exampleToken('Acme')).toThrow(expect.objectContaining({ field: 'prefix' }))
  })
})
