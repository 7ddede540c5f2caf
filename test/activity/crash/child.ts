import { appendFileSync } from 'node:fs'
import { openAt, type Place } from './open.js'

// This process only consumes: it writes the ID of each event to a file, which keeps it alive.
const [, , place = '', file = ''] = process.argv
const tokens = openAt(JSON.parse(place) as Place)
tokens.system.consume('siem', async ({ id }) => {
  await new Promise((resolve) => setTimeout(resolve, 2))
  appendFileSync(file, `${process.pid} ${id}\n`)
})
process.stdout.write('ready\n')
