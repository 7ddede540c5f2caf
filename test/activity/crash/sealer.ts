import { openAt, type Place } from './open.js'

// This process only seals. It reports each head that it has written, and each completed pass.
const [, , place = ''] = process.argv
const tokens = openAt(JSON.parse(place) as Place, { sealing: { onSeal: ({ number }) => process.stdout.write(`seal ${number}\n`) } })
process.stdout.write('ready\n')
for (;;) {
  await tokens.system.sealAudit()
  process.stdout.write('sealed\n')
  await new Promise((resolve) => setTimeout(resolve, 5))
}
