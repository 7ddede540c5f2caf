import type { StoreFinding } from '../../../src/store/diagnosis.js'
import { isHere, judgeTransport, type Transport } from './transport.js'

/** What is wrong with a setting: how it is and what suffers, and what to do. */
export type Concern = { readonly says: string; readonly advice: string }

/** A finding about one thing: fine, with these words, unless there is a concern. */
export const finding = (name: string, fine: string, concern: Concern | false | undefined): StoreFinding =>
  concern ? { name, ok: false, detail: concern.says, advice: concern.advice } : { name, ok: true, detail: fine }

/** Told without a judgment. */
export const fact = (name: string, detail: string): StoreFinding => ({ name, detail })

const TLS = 'Ask for TLS with a checked certificate in the connection string, as the page of this store shows.'

/** How the connection reaches its server, and whether it can be read or changed on its way. */
export const transportFinding = (transport: Transport): StoreFinding => {
  const { address, encrypted, verified } = transport
  const stays = address === undefined || isHere(address) ? ', and stays on this machine' : ''
  const detail = encrypted ? `encrypted${verified ? '' : ', but the certificate is not checked'}` : `not encrypted${stays}`
  return finding('tls', detail, judgeTransport('', transport) && { says: detail, advice: TLS })
}
