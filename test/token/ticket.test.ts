import { expect, test } from 'vitest'
import { createDigesters } from '../../src/token/digest.js'
import { platformRandom } from '../../src/token/random.js'
import { mintTicket, readTicket } from '../../src/token/ticket.js'

const [older, newer] = ['a pepper of at least thirty-two characters', 'a newer pepper of at least 32 characters']
const digesters = createDigesters([newer, older, false])
const [newest, peppered = newest, plain = newest] = digesters

test('a ticket is read with the digester that created it, and only with its prefix', () => {
  for (const [digester, proven] of [
    [newest, true],
    [peppered, true],
    [plain, false],
  ] as const) {
    const { ticket, digest } = mintTicket(digester, 'acme_live', platformRandom)
    expect(ticket).toMatch(/^[0-9A-Za-z]{49}$/)
    expect(readTicket(digesters, 'acme_live', ticket)).toEqual({ digest, peppered: proven })
    expect(readTicket(digesters, 'acme_test', ticket)).toBeUndefined()
    expect(
      readTicket(
        digesters.filter((each) => each !== digester),
        'acme_live',
        ticket,
      ),
    ).toBeUndefined()
  }
})

test('nothing but a whole ticket is read', () => {
  const { ticket } = mintTicket(newest, 'acme_live', platformRandom)
  for (const wrong of [undefined, null, 7, '', ticket.slice(1), `${ticket}0`, `-${ticket.slice(1)}`, `${ticket.slice(0, -1)}-`, [ticket]]) {
    expect(readTicket(digesters, 'acme_live', wrong)).toBeUndefined()
  }
})
