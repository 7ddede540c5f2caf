import { complaints, runFlood, tell } from './run-flood.js'

// Ten million tokens that nobody minted, with and without a pepper: `npm run test:flood -- --junk=10000000`
const given = process.argv.find((argument) => argument.startsWith('--junk='))
const junk = given === undefined ? 10_000_000 : Number(given.slice('--junk='.length))
for (const pepper of [false, true]) {
  const flooded = await runFlood({ junk, pepper })
  console.log(tell(flooded, pepper))
  for (const complaint of complaints(flooded)) {
    console.log(`  VIOLATION: ${complaint}`)
    process.exitCode = 1
  }
}
