/** Returns whether this is an error code that Node, OpenSSL or a driver uses for a TLS failure. */
export function isTlsFailure(code: unknown): boolean {
  return (
    typeof code === 'string' &&
    /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH$|EPROTO$|HANDSHAKE_(NO_)?SSL_)/.test(code)
  )
}
