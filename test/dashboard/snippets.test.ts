import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fieldOf, type Language, snippetOf } from '../../src/dashboard/page/acts/snippets.js'

const run = promisify(execFile)
const TOKEN = `acme_live_4kQ0tXb2LrVn8ZcD_${'9fK'.repeat(14)}Q_0aB1cD`
const BODY = {
  note: 'it\'s "new" \u{1f600} \u2028 $(id) `id` \\n %s $HOME @file !! {a,b} [1-3]',
  ключ: ['значение', null, true, 1.5],
  'a\nb\t': '</script>',
}

type Seen = { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: string }
const seen: Seen[] = []
const server = createServer(async (request, response) => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const { method = '', url = '', headers } = request
  seen.push({ method, url, headers, body: Buffer.concat(parts).toString() })
  response.setHeader('content-type', 'application/json').end('{}')
})

function works(command: string, ...args: readonly string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  )
}

/** Returns a function that runs a snippet, or undefined when the machine lacks the tool. */
async function runnerOf(language: Language): Promise<((code: string) => Promise<unknown>) | undefined> {
  if (language === 'curl' && (await works('curl', '--version'))) return (code) => run('bash', ['-c', code])
  if (language === 'fetch') return (code) => run(process.execPath, ['--input-type=module', '-e', code])
  if (language === 'python' && (await works('python3', '-c', 'import requests'))) return (code) => run('python3', ['-c', code])
  if (language === 'axios') {
    const path = await resolved('axios')
    return path === undefined
      ? path
      : (code) => run(process.execPath, ['--input-type=module', '-e', `import axios from ${JSON.stringify(path)}\n${code}`])
  }
  if (language === 'go') {
    return async (code) => {
      const file = join(await mkdtemp(join(tmpdir(), 'snippet-')), 'main.go')
      await writeFile(file, goProgram(code))
      return run('go', ['run', file])
    }
  }
  return undefined
}

/** Wraps the unchanged statements in a program, which does not compile with an unused or missing import. */
function goProgram(code: string): string {
  const imports = ['log', 'net/http', 'strings'].filter((name) => code.includes(`${name.split('/').at(-1)}.`))
  return `package main\n\nimport (\n${imports.map((name) => `\t"${name}"\n`).join('')})\n\nfunc main() {\n${code}\n}\n`
}

async function resolved(name: string): Promise<string | undefined> {
  try {
    return createRequire(import.meta.url).resolve(name)
  } catch {
    return undefined
  }
}

/** The snippet that a page with these options shows. */
function snippet(
  language: Language,
  config: { readonly exampleUrl: string; readonly exampleMethod?: string; readonly exampleBody?: object },
  sentIn: { readonly header: string; readonly scheme?: 'Bearer' | 'Basic' } = { header: 'Authorization', scheme: 'Bearer' },
): string {
  return snippetOf(language, fieldOf(TOKEN, sentIn), { language: 'en', ...config }, 'https://app.example.com')
}

const LANGUAGES: readonly Language[] = ['curl', 'fetch', 'python', 'axios']
// Go takes half a gigabyte, too much to install in CI for one snippet. Without Go, the test below detects what would not compile.
const GO: readonly Language[] = (await works('go', 'version')) ? ['go'] : []

describe.each([...LANGUAGES, ...GO])('the unmodified %s snippet', async (language) => {
  const start = await runnerOf(language)
  let origin = ''
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))
  afterEach(() => {
    seen.length = 0
  })

  it.skipIf(start === undefined)("an unmodified snippet sends the host's body unchanged, whatever it contains", async () => {
    await start?.(snippet(language, { exampleUrl: `${origin}/stock`, exampleMethod: 'PUT', exampleBody: BODY }))
    expect(seen).toMatchObject([{ method: 'PUT', url: '/stock', headers: { authorization: `Bearer ${TOKEN}` } }])
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual(BODY)
    expect(seen[0]?.headers['content-type']).toMatch(/^application\/json\b/)
  })

  it.skipIf(start === undefined)(
    "an unmodified snippet requests the host's URL, even with non-ASCII characters and shell syntax",
    async () => {
      await start?.(snippet(language, { exampleUrl: `${origin}/łódź/東京/{a,b}[1-3]?q=$HOME&x=!!\`id\`;%20*` }))
      const path = '/%C5%82%C3%B3d%C5%BA/%E6%9D%B1%E4%BA%AC/{a,b}[1-3]?q=$HOME&x=!!`id`;%20*'
      const plain = (url = ''): string => decodeURIComponent(url)
      expect(plain(seen[0]?.url)).toBe(plain(path))
      expect(seen[0]?.method).toBe('GET')
    },
  )

  it.skipIf(start === undefined)('an unmodified snippet sends the token in the header and scheme that the host reads', async () => {
    await start?.(snippet(language, { exampleUrl: `${origin}/` }, { header: 'X-API-Key' }))
    await start?.(snippet(language, { exampleUrl: `${origin}/` }, { header: 'Authorization', scheme: 'Basic' }))
    expect(seen.map(({ headers }) => headers['x-api-key'] ?? headers.authorization)).toEqual([TOKEN, `Basic ${btoa(`${TOKEN}:`)}`])
  })
})

it('the Python snippet sends bytes, because older clients encode strings as Latin-1', () => {
  expect(snippet('python', { exampleUrl: 'https://api.example.com/', exampleBody: BODY })).toContain('}".encode(),')
})

it('the Go snippet uses everything it declares and a URL that Go accepts', () => {
  const code = snippet('go', { exampleUrl: 'https://api.example.com/東京', exampleMethod: 'POST', exampleBody: BODY })
  expect(code).toContain('defer res.Body.Close()')
  expect(code).toContain('"https://api.example.com/%E6%9D%B1%E4%BA%AC"')
})
