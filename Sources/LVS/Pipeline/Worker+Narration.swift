// The last wave with a narrator: the same functions, packet by packet, with a look before and after.

extension Worker {
    /// Takes a burst through its waves and has the narrator keep the stories that it wants.
    ///
    /// It is asked with the packets as they are parsed for the burst, and a packet that it does not want
    /// goes the way that it goes when nobody listens.
    @inline(never)
    func narrate(_ narrator: Narrator, _ burst: inout Burst, _ count: Int, _ path: FastPath) {
        let services = path.services
        let isBackup = parts.settings.isOnlyBackup
        let isServing = services.hasServices(.v4) || services.hasServices(.v6)
        let isUsual = services.hasServices(.v4) && !isBackup
        var sent: UInt64 = 0
        unsafe parse(burst.base, count, path)
        let wanted = wanted(by: narrator, count, path.now)
        if isUsual { match(count, path) }
        for index in 0..<count {
            let isWanted = wanted &>> UInt64(index) & 1 != 0
            if isBackup {
                tell(narrator, isWanted, index, &burst) { passRequest(index, &$0, path) }
            } else if !isServing {
                tell(narrator, isWanted, index, &burst) { burst in
                    narrator.note(.notScheduled(.noServiceOfFamily))
                    pass(index, &burst)
                }
            } else if isWanted {
                tell(narrator, isWanted, index, &burst) { burst in
                    if isUsual, forward(narrator, index, &burst, path) {
                        sent &+= 1
                    } else if !isUsual {
                        finish(index, by: .notFlow, &burst, path)
                    }
                }
            } else {
                let exit = isUsual ? unsafe path.forward(pending + index) : .notFlow
                if exit == .sent {
                    sent &+= 1
                    if parts.settings.isMaster { synchroniseSent(index, path) }
                } else {
                    finish(index, by: exit, &burst, path)
                }
            }
        }
        tally.countFrames(received: UInt64(count), sent: sent)
        if wanted != 0 { deliverStories() }
    }

    /// Hands to the desk what has been told for it.
    func deliverStories() {
        guard isNarratorOfDesk, let listener else { return }
        desk.deliver(listener.takeStories(), lost: listener.takeLost())
        if listener.isFull { leaveDesk() }
    }

    /// The packets that the narrator wants, a bit for each place in the burst.
    private func wanted(by narrator: Narrator, _ count: Int, _ now: Instant) -> UInt64 {
        guard !narrator.isFull else { return 0 }
        var wanted: UInt64 = 0
        for index in 0..<count where unsafe narrator.wants(index, pending[index].packet) {
            wanted |= 1 &<< UInt64(index)
        }
        guard wanted != 0 else { return 0 }
        narrator.begin(at: now, waiting: isNarratorOfDesk ? desk.waitingBytes : 0)
        return wanted
    }

    /// Takes a narrator that another thread asks for, or lets one go.
    @inline(never)
    func visitDesk() {
        guard let asked = desk.takeRequest() else { return leaveDesk() }
        // Frames may wait for their next hop that an earlier narrator has told of.
        asked.count(from: isNarratorOfDesk ? listener?.lastStory ?? 0 : storiesBefore)
        narrator = asked
        isNarratorOfDesk = true
    }

    private func leaveDesk() {
        guard isNarratorOfDesk else { return }
        storiesBefore = listener?.lastStory ?? 0
        narrator = nil
        isNarratorOfDesk = false
    }

    /// What becomes of one frame that is handed in now; nothing leaves.
    ///
    /// For a worker whose thread the caller is. The tables are those of the director, and change as they
    /// would: a director that is not to be touched has a twin.
    package func story(
        of bytes: [UInt8], on port: PortIndex, mark: UInt32 = 0, now: Instant
    ) -> Story? {
        let headroom = Burst.madeHeadroom
        // Room for what helpers and client addresses add.
        let capacity = bytes.count + 2048
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: headroom + capacity, alignment: 64)
        defer { unsafe memory.deallocate() }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: headroom + capacity)
        unsafe (memory + headroom).copyMemory(from: bytes, byteCount: bytes.count)
        var burst = Burst()
        var frame = unsafe Frame(
            bytes: memory + headroom, length: bytes.count, capacity: capacity,
            headroom: headroom, ingress: port)
        frame.mark = mark
        burst.append(frame)
        let other = narrator
        let narrator = Narrator(most: 1)
        self.narrator = narrator
        defer { self.narrator = other }
        wake()
        process(&burst, now: now)
        rest()
        return narrator.stories.first
    }

    /// Has the narrator listen while a packet is dealt with, if it wants to and has room.
    private func tell(
        _ narrator: Narrator, _ isWanted: Bool, _ index: Int, _ burst: inout Burst,
        _ body: (inout Burst) -> Void
    ) {
        let first = burst.madeCount
        guard isWanted, unsafe narrator.begin(index, pending[index].packet, burst[index]) else {
            return body(&burst)
        }
        body(&burst)
        narrator.end(
            burst[index], made: (first..<burst.madeCount).map { burst.madeFrame($0).frame })
    }

    /// Tries the fast path and finishes the packet otherwise; true when the fast path has sent it.
    private func forward(
        _ narrator: Narrator, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Bool {
        let packet = unsafe pending[index].packet
        let seen = narrator.isTelling && packet.isPlain ? look(packet, path) : nil
        let exit = unsafe path.forward(pending + index)
        guard exit == .sent else {
            finish(index, by: exit, &burst, path)
            return false
        }
        if parts.settings.isMaster { synchroniseSent(index, path) }
        // The fast path tells nothing by itself: it has been a hit on this connection.
        guard let (found, control, timeout, look) = seen else { return true }
        narrator.note(.lookedUp(look))
        narrator.note(
            .advanced(
                Advance(found, from: control, timeoutSeconds: timeout, look.direction)))
        let isToServer = look.direction == .inbound
        let number =
            isToServer
            ? path.cells[control.destination].nextHop
            : NextHopIndex(truncatingIfNeeded: found.clientHop)
        narrator.note(
            .way(
                Way(
                    path.hops[number], to: isToServer ? found.real : found.client,
                    isToServer: isToServer)))
        return true
    }

    /// The connection of a packet as it stands before the packet, without any change to it.
    private func look(
        _ packet: Packet, _ path: FastPath
    ) -> (Connection, ConnectionControl, timeoutSeconds: UInt32, LookUp)? {
        let tuple = packet.tuple
        guard let match = path.table.find(tuple, path.table.key(tuple), tick: nil) else {
            return nil
        }
        let found = match.connection
        let look = LookUp(
            subject: .packet, flow: Flow(tuple), found: ConnectionListing(found, now: path.now),
            direction: match.direction)
        return (found, found.control, found.timeoutSeconds, look)
    }

    /// Tells what becomes of a connection's state while a packet moves it.
    @inline(__always)
    func move(_ connection: Connection, _ direction: Direction, _ body: () -> Void) {
        guard let listener, listener.isTelling else { return body() }
        let (control, timeout) = (connection.control, connection.timeoutSeconds)
        body()
        listener.note(
            .advanced(Advance(connection, from: control, timeoutSeconds: timeout, direction)))
    }

    /// Tells of a question to the connection table.
    func note(
        _ subject: LookUp.Subject, _ tuple: ConnectionTuple, _ match: ConnectionTable.Match?,
        _ path: FastPath
    ) {
        listener?.note(
            .lookedUp(
                LookUp(
                    subject: subject, flow: Flow(tuple),
                    found: match.map { ConnectionListing($0.connection, now: path.now) },
                    direction: match?.direction ?? .inbound)))
    }
}

extension Advance {
    /// What has become of a connection since it was in the state of `old`.
    init(
        _ connection: Connection, from old: ConnectionControl, timeoutSeconds: UInt32,
        _ direction: Direction
    ) {
        let new = connection.control
        self.direction = direction
        before = connection.stateName(old.state)
        after = connection.stateName(new.state)
        timeoutBefore = timeoutSeconds
        timeoutAfter = connection.timeoutSeconds
        wasInactive = old.isInactive
        isInactive = new.isInactive
    }
}
