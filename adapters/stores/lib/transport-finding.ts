import type { StoreFinding } from '../../../src/store/diagnosis.js'
import { finding } from './findings.js'
import { isHere, judgeTransport, type Transport } from './transport.js'

const TLS = "In the connection string, require TLS and verification of the certificate, as this store's documentation shows."

/** Returns how the connection reaches its server, and whether it can be read or modified in transit. */
export const transportFinding = (transport: Transport): StoreFinding => {
  const { address, encrypted, verified } = transport
  const stays = address === undefined || isHere(address) ? ', and stays on this machine' : ''
  const detail = encrypted ? `encrypted${verified ? '' : ', but the certificate is not verified'}` : `not encrypted${stays}`
  return finding('tls', detail, judgeTransport('', transport) && { says: detail, advice: TLS })
}
