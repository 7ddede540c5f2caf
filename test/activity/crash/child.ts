import { appendFileSync } from 'node:fs'
import { openAt, type Place } from './open.js'

// This process runs only a consumer, which writes the ID of each event to a file. The consumer keeps the process alive.
const [, , place = '', file = ''] = process.argv
const tokens = openAt(JSON.parse(place) as Place)
tokens.system.consume('siem', async ({ id }) => {
  await new Promise((resolve) => setTimeout(resolve, 2))
  appendFileSync(file, `${process.pid} ${id}\n`)
})
process.stdout.write('ready\n')
