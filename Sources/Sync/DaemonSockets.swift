internal import LVS
internal import Posix

/// The sockets of a synchronisation daemon, one for each port, on an interface that may go and come back.
struct DaemonSockets<Socket> {
    let place: DaemonPlace
    /// Opens one: group in network order, port in host order, index of the interface.
    private let open: (DaemonPlace, [UInt8], UInt16, Int32) throws(SystemError) -> Socket
    private(set) var sockets: [Socket] = []
    /// The interface as it was when the sockets were opened; another one may come by its name.
    private var index: Int32?
    /// Why there are none at the moment; nil when there are.
    private(set) var trouble: SystemError?

    init(
        _ place: DaemonPlace,
        _ open: @escaping (DaemonPlace, [UInt8], UInt16, Int32) throws(SystemError) -> Socket
    ) {
        self.place = place
        self.open = open
    }

    /// Opens all of them or none.
    mutating func openAll() throws(SystemError) {
        sockets = []
        do throws(SystemError) {
            guard let found = NetworkNamespace.interfaceIndex(place.interface) else {
                throw SystemError.missingDevice(place.interface)
            }
            let group = place.group.wireBytes
            var opened: [Socket] = []
            for number in 0...place.lastPort - place.port {
                opened.append(try open(place, group, place.port &+ number, found))
            }
            (sockets, index, trouble) = (opened, found, nil)
        } catch {
            trouble = error
            throw error
        }
    }

    /// Opens them again when the interface is another one by now, or has come only now; true when that
    /// changed whether there are any.
    mutating func keep() -> Bool {
        let wereThere = !sockets.isEmpty
        let present = NetworkNamespace.interfaceIndex(place.interface)
        guard !wereThere || present != index else { return false }
        do throws(SystemError) {
            try openAll()
            return true
        } catch {
            return wereThere
        }
    }
}
