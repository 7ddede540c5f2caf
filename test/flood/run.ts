import { complaints, runFlood, tell } from './run-flood.js'

// Ten million forged tokens, with and without a pepper: `npm run test:flood -- --forged=10000000`
const given = process.argv.find((argument) => argument.startsWith('--forged='))
const forged = given === undefined ? 10_000_000 : Number(given.slice('--forged='.length))
for (const pepper of [false, true]) {
  const flooded = await runFlood({ forged, pepper })
  console.log(tell(flooded, pepper))
  for (const complaint of complaints(flooded)) {
    console.log(`  VIOLATION: ${complaint}`)
    process.exitCode = 1
  }
}
