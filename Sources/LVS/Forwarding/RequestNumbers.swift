/// How the sequence numbers of a client's bytes stand to those of the bytes its server gets: all have
/// gained something, and those behind the SYN as many more as were put in front of the first.
///
/// All numbers are those of TCP and wrap.
struct RequestNumbers: Hashable {
    /// The client's initial sequence number.
    var first: UInt32
    /// What every number gains.
    var gained: UInt32
    /// Bytes in front of the client's first byte.
    var inserted: UInt32

    /// How far a client's number is behind that of its first byte.
    func distance(_ sequence: UInt32) -> Int32 { Int32(bitPattern: sequence &- first &- 1) }

    /// The number the server sees for one of the client's, given that the inserted bytes are before it.
    func toServer(_ sequence: UInt32) -> UInt32 { sequence &+ gained &+ inserted }

    /// The number the client knows for one that the server acknowledges or complains about.
    func toClient(_ number: UInt32) -> UInt32 {
        let plain = number &- gained
        let distance = distance(plain)
        guard distance > 0 else { return plain }
        return distance < Int64(inserted) ? first &+ 1 : plain &- inserted
    }

    /// True when the server has all inserted bytes.
    func hasInserted(_ acknowledged: UInt32) -> Bool {
        distance(acknowledged &- gained) >= Int64(inserted)
    }
}
