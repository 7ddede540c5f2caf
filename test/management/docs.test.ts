import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ROUTES } from '../../src/management/routes.js'
import { admin, harness } from './support.js'

const page = readFileSync(new URL('../../docs/management-api.md', import.meta.url), 'utf8')

/** Parses a curl command of the page. */
function readCurl(command: string, variables: { readonly [name: string]: string }) {
  const line = command.replace(/\\\n/g, ' ').replace(/\$([A-Z]+)/g, (_, name: string) => variables[name] ?? '')
  const values = (flag: string): string[] =>
    [...line.matchAll(new RegExp(`${flag} (?:'([^']*)'|"([^"]*)")`, 'g'))].map((match) => match[1] ?? match[2] ?? '')
  const headers = Object.fromEntries(
    values('-H').map((header) => [header.slice(0, header.indexOf(':')), header.slice(header.indexOf(':') + 1).trim()]),
  )
  return {
    method: /-X (\w+)/.exec(line)?.[1] ?? 'GET',
    path: /"~API([^"]*)"/.exec(line)?.[1] ?? '',
    headers,
    body: values('-d')[0],
    status: Number(/# (\d{3})$/.exec(line)?.[1]),
  }
}

describe('the docs page about the management API', () => {
  it.each([...ROUTES.map(({ method, path }) => `${method} ${path}`), 'GET /openapi.json'])(
    'the docs page describes %s with an example',
    (route) => {
      const start = page.indexOf(`### ${route}\n`)
      expect(start).toBeGreaterThan(0)
      expect(page.slice(start, page.indexOf('\n##', start + 4))).toContain('```sh\ncurl')
    },
  )

  it('the example commands on the docs page return the documented statuses', async () => {
    const h = harness()
    const commands = [...page.matchAll(/```sh\n(curl[\s\S]*?)\n```/g)].map((match) => match[1] ?? '')
    expect(commands.length).toBeGreaterThan(ROUTES.length)
    let { id, token } = await h.create(admin, { scopes: ['tokens:rotate-self'] })
    for (const command of commands) {
      const { method, path, headers, body, status } = readCurl(command, { API: '~API', ID: id, TOKEN: token, SESSION: 'session=1' })
      // The test harness would add the header that the command lacks.
      expect(method === 'GET' || 'Content-Type' in headers || 'X-Requested-With' in headers, command).toBe(true)
      const ask = { headers, ...(body !== undefined && { raw: body }) }
      const answer = await h.call(method, path, { actor: 'Cookie' in headers ? admin : undefined, ...ask })
      expect(answer.status, `${command}\n${answer.text}`).toBe(status)
      // A rotated or revoked token would break the next examples.
      if (/rotate|revoke/.test(path)) ({ id, token } = await h.create(admin, { scopes: ['tokens:rotate-self'] }))
    }
  })
})
