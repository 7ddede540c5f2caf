import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

/** Takes a token through its life with the installed package's command line, starting without a configuration. */
export const commandLine: Suite = {
  name: 'command-line',
  sample: true,
  async run(bench) {
    const folder = await bench.project({ name: 'shop-api', packages: ['latchkey', 'kysely@0.28', 'libsql'] })
    const latchkey = (...args: readonly string[]): Promise<string> => must('npx', ['--no-install', 'latchkey', ...args], folder)
    await bench.check('npx latchkey prints its version', async () => {
      const { version } = JSON.parse(await readFile(join(folder, 'node_modules/latchkey/package.json'), 'utf8'))
      const told = (await latchkey('--version')).trim()
      if (told !== version) throw new Error(`it prints version ${told}, but the package has version ${version}`)
    })
    await bench.check('npx latchkey init, create, update, revoke, owner-gone and erase work as installed', async () => {
      await latchkey('init')
      // Otherwise the next command would also report that it created the file.
      await latchkey('migrate')
      const scope = ['--scope', 'inventory:read', '--owner', 'ada']
      const { record } = JSON.parse(await latchkey('create', '--name', 'first', ...scope, '--json'))
      const { name } = JSON.parse(await latchkey('update', record.id, '--name', 'second', '--json'))
      const { status } = JSON.parse(await latchkey('revoke', record.id, '--yes', '--json'))
      const gone = JSON.parse(await latchkey('owner-gone', 'ada', '--yes', '--json'))
      const erased = JSON.parse(await latchkey('erase', 'ada', '--yes', '--json'))
      const got = [name, status, gone.count, erased.tokens].join()
      if (got !== 'second,revoked,0,1') throw new Error(`got ${got}, not second,revoked,0,1`)
    })
  },
}
