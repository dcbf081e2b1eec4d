/// What a real server takes for a client with FULLNAT: an address of the director, and a port of it
/// (host order) that no other connection to the server has.
package struct LocalEndpoint: Hashable, Sendable {
    package var address: IPAddress
    package var port: UInt16

    package init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}
