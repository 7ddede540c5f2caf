import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

const DOCUMENT = 'openapi.json'
const SAVE = `
import { writeFileSync } from 'node:fs'
import { latchkey } from 'latchkey'
import { management } from 'latchkey/web'
import { memoryStore } from 'latchkey/stores/memory'

const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } })
const manage = management(tokens, { mountPath: '/admin/tokens', actor: () => ({ id: 'ada', tenants: '*', manages: 'all' }) })
const response = await manage(new Request('http://localhost/admin/tokens/openapi.json'))
if (response.status !== 200) throw new Error(String(response.status))
writeFileSync('${DOCUMENT}', await response.text())
await tokens.close()
`

/** Checks that code generators and API portals accept the document. */
export const openapi: Suite = {
  name: 'openapi',
  sample: true,
  async run(bench) {
    const folder = await bench.project({ name: 'openapi', packages: ['latchkey', '@redocly/cli@2', '@stoplight/spectral-cli@6'] })
    await writeFile(join(folder, 'save.mjs'), SAVE)
    await writeFile(join(folder, '.spectral.yaml'), 'extends: ["spectral:oas"]\n')
    await must(process.execPath, ['save.mjs'], folder)
    await bench.check("the OpenAPI document passes Redocly's recommended rules without a warning", async () => {
      const output = await must(
        'npx',
        ['--no-install', 'redocly', 'lint', DOCUMENT, '--extends', 'recommended', '--format', 'stylish'],
        folder,
      )
      if (/^\s+\d+:\d+\s+warning\b/m.test(output)) throw new Error(output)
    })
    await bench.check("the OpenAPI document passes Spectral's rules for OpenAPI without a warning", () =>
      must('npx', ['--no-install', 'spectral', 'lint', DOCUMENT, '--ruleset', '.spectral.yaml', '--fail-severity', 'hint'], folder),
    )
  },
}
