/// What a server that speaks the PROXY protocol reads before a client's first byte (HAProxy, "The PROXY
/// protocol", sections 2.1 and 2.2).
enum ProxyHeader {
    /// The first twelve bytes of version 2.
    private static let signature: StaticString = "\r\n\r\n\0\r\nQUIT\n"

    /// The header for a connection of these ends (ports host order); empty unless the service asks for
    /// one.
    static func text(
        _ clientAddress: FullNATOptions.ClientAddress, client: IPAddress, clientPort: UInt16,
        virtual: IPAddress, virtualPort: UInt16
    ) -> ShortText {
        var text = ShortText()
        switch clientAddress {
        case .hidden, .toa, .toaFromSYN: break
        case .proxyV1:
            text.append(client.isV4 ? "PROXY TCP4 " : "PROXY TCP6 ")
            text.append(client)
            text.append(" ")
            text.append(virtual)
            text.append(" ")
            text.append(decimal: clientPort)
            text.append(" ")
            text.append(decimal: virtualPort)
            text.append("\r\n")
        case .proxyV2:
            text.append(signature)
            // Version 2, the command PROXY; TCP over either family; the length of what follows.
            text.append(be16: client.isV4 ? 0x2111 : 0x2121)
            text.append(be16: client.isV4 ? 12 : 36)
            for address in [client, virtual] { text.append(wireBytesOf: address) }
            text.append(be16: clientPort)
            text.append(be16: virtualPort)
        }
        return text
    }
}

extension ConnectionSpec {
    /// Bytes of the PROXY header of the connection; 0 without one.
    var proxyHeaderLength: Int {
        ProxyHeader.text(
            fullNAT.clientAddress, client: client, clientPort: clientPort, virtual: virtual,
            virtualPort: virtualPort
        ).count
    }
}
