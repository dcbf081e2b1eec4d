import CIntrinsics

// A connection lies in up to five lines far apart: making or ending one asks for all of them before
// it touches the first, so that their ways from memory overlap.

extension ConnectionTable {
    /// Asks for the two buckets in which a key may stand.
    @inline(__always)
    func prefetch(_ place: Place) {
        unsafe lvs_prefetch(bucket(place.first))
        unsafe lvs_prefetch(bucket(place.second))
    }

    /// Asks for the two buckets in which a key may stand.
    package func prefetch(_ key: ConnectionKey) { prefetch(place(key)) }

    /// Asks for the buckets in which a connection's keys stand.
    @inline(__always)
    package func prefetchSlots(_ connection: Connection) {
        prefetch(place(connection.key(.inbound)))
        if connection.isFoundByReplies { prefetch(place(connection.key(.outbound))) }
    }

    /// Asks for the entry that `takeEntry` gives the worker next, if it is known.
    @inline(__always)
    func prefetchEntry(_ worker: Int) {
        let next = unsafe owner(worker).pointee.free
        guard next != ConnectionTable.noEntry else { return }
        unsafe lvs_prefetch(entries + Int(next) &* Connection.bytes)
    }
}
