/** The peer's bytes are no message of this protocol. `code` and `field` are those of PROTOCOL.md's error table. */
export class ProtocolError extends Error {
  constructor(message, code = "malformed-message", field = null) {
    super(message);
    this.name = "ProtocolError";
    this.code = code;
    this.field = field;
  }
}
