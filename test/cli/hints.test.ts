import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.js'
import { openShell, type Shell } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

async function refusal(line: string): Promise<string> {
  const { code, stdout, stderr } = await shell.run(...line.split(' '))
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(/^latchkey: [^\n]+\n$/)
  return stderr
}

it.each([
  ['list --status activ', '--status: must be one of revoked, inactive, pending, expired, active; did you mean "active"?'],
  ['list --status active --status ACTIVE', 'did you mean "active"?'],
  ['list --status active disabled', 'did you mean "inactive"?'],
  ['list --status enabled', 'did you mean "active"?'],
  ['events --action token.revokd', 'did you mean "token.revoked"?'],
  ['events --action revoked', 'did you mean "token.revoked"?'],
  ['events --order newst', '--order: must be one of newest, oldest; did you mean "newest"?'],
  ['events --order asc', 'did you mean "oldest"?'],
  ['update 0000000000000000 --remove expires', 'did you mean "expires-at"?'],
  ['update 0000000000000000 --remove scopes', '--remove: must be one of description, resource, expires-at'],
  ['scanner-rules --format gitleak', '--format: must be one of gitleaks, trufflehog, secretlint, pattern; did you mean "gitleaks"?'],
  ['init --framework expres', '--framework: must be one of express, fastify, koa, hono; did you mean "express"?'],
  ['init --framework nest', 'hono; for nest, omit the option and see node_modules/latchkey/docs/frameworks/nest.md'],
  ['init --framework Next.js', 'hono; for Next.js, omit the option and see node_modules/latchkey/docs/frameworks/next.md'],
  ['init --framework trpc', 'for trpc, omit the option and see node_modules/latchkey/docs/frameworks/trpc.md'],
  ['init --framework elysia', 'see node_modules/latchkey/docs/frameworks/h3-elysia.md'],
  ['init --framework nuxt', 'see node_modules/latchkey/docs/frameworks/h3-elysia.md'],
  ['init --framework lambda', 'see node_modules/latchkey/docs/frameworks/aws-lambda.md'],
  ['init --framework graphql-yoga', 'see node_modules/latchkey/docs/frameworks/web.md'],
  ['init --framework workers', 'see node_modules/latchkey/docs/frameworks/web.md'],
  ['init --framework graphql-ws', 'see node_modules/latchkey/docs/frameworks/graphql-ws.md'],
  ['init --framework socket.io', 'see node_modules/latchkey/docs/frameworks/socket-io.md'],
  ['init --framework ws', 'see node_modules/latchkey/docs/websockets.md'],
  ['init --store postgresql', '--store: must be one of sqlite, postgres, mysql, redis; did you mean "postgres"?'],
  ['init --store mariadb', 'did you mean "mysql"?'],
  ['copy --to latchkey.config.mjs --step fense', '--step: must be one of copy, fence, open, cancel; did you mean "fence"?'],
])('the error for an invalid option value lists the valid values and suggests the closest value: %s', async (line, text) => {
  expect(await refusal(line)).toContain(text)
})

it('the error for an unrelated value lists the allowed values and suggests none', async () => {
  expect(await refusal('list --status zebra')).toBe('latchkey: --status: must be one of revoked, inactive, pending, expired, active\n')
})

it.each([
  ['create --ttl 30d', "unknown option '--ttl' (Did you mean --expires-in?)"],
  ['create --ttl=30d', "unknown option '--ttl' (Did you mean --expires-in?)"],
  ['create --expires 30d', '--expires-in or --expires-at?'],
  ['create --expires-in-days 30', "unknown option '--expires-in-days' (Did you mean --expires-in, with the unit in the value, as in 90d?)"],
  ['create --valid-until 2030-01-01', '--expires-at?'],
  ['create --owner-id ada', '--owner?'],
  ['create --userId ada', '--owner?'],
  ['create --tenant-id acme', '--tenant?'],
  ['create --permissions inventory:read', '--scope?'],
  ['create --label ERP', '--name?'],
  ['create --note ERP', '--description?'],
  ['create --ip 192.0.2.1', '--allowed-ip?'],
  ['rotate 0000000000000000 --grace 1d', '--overlap?'],
  ['list --search ERP', '--name?'],
  ['list --page-size 10', '--limit?'],
  ['list --output json', '--json?'],
  ['revoke 0000000000000000 --force', '--yes?'],
  ['revoke 0000000000000000 -y', '--yes?'],
  ['events --since 2030-01-01', '--from?'],
])("the error for another product's option names the matching option of latchkey: %s", async (line, text) => {
  expect(await refusal(line)).toContain(text)
})

it.each([
  ['delete 0000000000000000', "unknown command 'delete' (Did you mean revoke?)"],
  ['ls', 'list?'],
  ['new', 'create?'],
  ['disable 0000000000000000', 'deactivate?'],
  ['enable 0000000000000000', 'activate?'],
  ['get 0000000000000000', 'show?'],
  ['edit 0000000000000000', 'update?'],
  ['renew 0000000000000000', 'rotate?'],
  ['audit', 'events or verify-audit?'],
  ['check', 'doctor?'],
  ['setup', 'init?'],
  ['version', '--version?'],
  ['tokens', 'list?'],
  ['token create', 'create?'],
  ['help token', "unknown command 'token' (Did you mean list?)"],
  ['help token create', 'create?'],
  ['help delete', "unknown command 'delete' (Did you mean revoke?)"],
  ['help frobnicate', "unknown command 'frobnicate'"],
  ['keys delete 0000000000000000', 'revoke?'],
  ['owner gone ada', 'owner-gone?'],
  ['forget consumer mailer', 'forget-consumer?'],
  ['scanner', 'scanner-rules?'],
])("the error for another product's command names the matching command of latchkey: %s", async (line, text) => {
  expect(await refusal(line)).toContain(text)
})

it.each([
  ['create ERP --scope inventory:read', '(Did you mean --name?)'],
  ['list ERP', '(Did you mean --name?)'],
  ['create --name ERP --scope inventory:read inventory:write', 'Repeat --scope for each scope'],
  ['create --name Big ERP --scope inventory:read', 'put a name with spaces in quotes'],
  ['create --name ERP --scope inventory:read,inventory:write', '--scope takes one scope: repeat it'],
  ['update 0000000000000000 --scope inventory:read,inventory:write', '--scope takes one scope: repeat it'],
])('the error for a value in the wrong place explains where it belongs: %s', async (line, text) => {
  expect(await refusal(line)).toContain(text)
})

it('no hint follows the error about excess arguments of a command that takes none', async () => {
  expect(await refusal('revoke-all x')).toBe("latchkey: too many arguments for 'revoke-all'. Expected 0 arguments but got 1.\n")
})

it.each([
  ['show 0000000000000000 --ttl 30d', "unknown option '--ttl'"],
  ['frobnicate', "unknown command 'frobnicate'"],
])('nothing is suggested for an unrelated option or command: %s', async (line, text) => {
  expect(await refusal(line)).toBe(`latchkey: ${text}\n`)
})

it('the right command is suggested for a misspelled command, including after help', async () => {
  const program = new Command()
  for (const add of COMMANDS) add(program, () => undefined)
  for (const name of ['init', ...program.commands.map((command) => command.name())]) {
    const swapped = `${name[0]}${name[2]}${name[1]}${name.slice(3)}`
    const meant = expect.stringMatching(new RegExp(`^latchkey: unknown command '${swapped}' \\(Did you mean .*\\b${name}\\?\\)`))
    expect([await refusal(swapped), await refusal(`help ${swapped}`)]).toEqual([meant, meant])
  }
  expect(await refusal('--json help crate')).toContain('(Did you mean create?)')
  expect(await refusal('LIST')).toContain('(Did you mean list?)')
}, 120_000)

it('-v prints the version', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(await shell.run('-v')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  expect(await refusal('-V')).toContain('--version?')
})

it.each([
  ['create --name x --scope inventory:read --expires-in -5', '--expires-in: must be at least 1 second, not -5 '],
  ['create --name x --scope inventory:read --expires-in -5d', '--expires-in: must be at least 1 second, not "-5d" '],
  ['create --name x --scope inventory:read --expires-in=-5', '--expires-in: must be at least 1 second, not -5 '],
  ['create --name x --scope inventory:read --expires-in 0', '--expires-in: must be at least 1 second, not 0 '],
  ['create --name x --scope inventory:read --expires-in 0d', '--expires-in: must be at least 1 second, not "0d" '],
  ['create --name x --scope inventory:read --expires-in 1.5', '--expires-in: must be whole seconds, not 1.5 '],
  ['create --name x --scope inventory:read --rotate-every -1d', '--rotate-every: must be at least '],
  ['rotate 0000000000000000 --overlap -1h', '--overlap: must be at least 0 seconds, not "-1h" '],
  ['list --expires-within -1d', '--expires-within: must be at least 1 second, not "-1d" '],
  ['list --unused-for 0', '--unused-for: must be at least 1 second, not 0 '],
  ['create --name x --scope inventory:raed', '--scope: '],
  ['create --name x --scope inventory:read --allowed-ip 1.2.3', '--allowed-ip: '],
  ['usage 0000000000000000 --step -1d', '--step: must be '],
  ['list --limit 0', '--limit must be a whole number from 1 to 1000'],
  ['list --limit -5', '--limit must be a whole number from 1 to 1000'],
  ['events --limit 1001', '--limit must be a whole number from 1 to 1000'],
])('the error for a wrong value names its option and what is allowed: %s', async (line, text) => {
  expect(await refusal(line)).toContain(text)
})

it.each([
  ['list --json extra', '--json takes no value.'],
  ['list --imported yes', '--imported takes no value.'],
  ['revoke-all --all everything --yes', '--all takes no value.'],
  ['show 0000000000000000 --json out.json', '--json takes no value.'],
])('the error for a value after an option that takes none names the option: %s', async (line, text) => {
  expect(await refusal(line)).toMatch(new RegExp(`but got \\d\\. ${text.replace('.', '\\.')}\\n$`))
})

it.each(['1|SECRET', 'sk_SECRET', '--SECRET', '--nam=SECRET', 'help SECRET', 'create --SECRET'])(
  'the error for an unknown command or option does not repeat what may be the token from another system: %s',
  async (line) => {
    expect(await refusal(line.replace('SECRET', 'b1946ac92492d2347c6235b4d2611184'))).not.toContain('b1946ac9')
  },
)
