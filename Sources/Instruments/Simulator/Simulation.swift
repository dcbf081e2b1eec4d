internal import LVS
internal import Posix

/// One scheduler's run: makes frames in the order of their times and sees which server gets them.
final class Simulation: ReplaySink {
    /// What a frame does to its connection; the number of a packet is four times that of the
    /// connection and this.
    private enum Step: UInt64 { case begin, confirm, end }

    /// A frame that is due later.
    private struct Due: Comparable {
        var time: Int64
        var connection: UInt64
        var step: UInt64
        var client: UInt32
        var clientPort: UInt16

        static func < (left: Due, right: Due) -> Bool {
            // At the same time in one order, so that every run is the same.
            (left.time, left.connection, left.step) < (right.time, right.connection, right.step)
        }
    }

    /// Time from a client's SYN to its ACK, nanoseconds.
    private static let roundTrip: Int64 = 2_000_000
    private static let nobody = UInt16.max

    private let load: SimulatedLoad
    private let director: SimulatedDirector
    private let course: Course
    private var arrivals: any ArrivalSource
    private var due = Heap<Due>()
    /// Server of each connection, by its number.
    private var servers: [UInt16] = []
    private var clients: [UInt32] = []
    private var open: [Int]
    /// What the clients' last connections were: the server, and which part of the run it was in.
    private var lastServer: [UInt16]
    private var lastPart: [UInt8]
    /// Number of the part of the course, from 1.
    private var part: UInt8 = 1
    private var removed: Int?
    private var row: SimulationResult.Row
    private var samples = 0
    private var imbalances = 0.0
    private var nextSample: Int64
    private var nextPoint: Int64 = 0
    private let drawn: [Int]

    init(_ load: SimulatedLoad, _ director: SimulatedDirector) {
        self.load = load
        self.director = director
        course = Course(load)
        nextSample = course.settled
        if let captured = load.captured {
            arrivals = CapturedArrivals(
                captured, servers: load.weights.count, seed: load.seed)
        } else {
            arrivals = Arrivals(load)
        }
        drawn = SimulationResult.drawn(of: load)
        open = Array(repeating: 0, count: load.weights.count + 1)
        lastServer = Array(repeating: Self.nobody, count: load.clientCount)
        lastPart = Array(repeating: 0, count: load.clientCount)
        row = SimulationResult.Row(scheduler: director.scheduler)
        row.connections = Array(repeating: 0, count: load.weights.count)
        row.open = Array(repeating: [], count: drawn.count)
    }

    /// Plays the whole load.
    func play() throws(SimulatedDirector.Trouble) -> SimulationResult.Row {
        director.replay.sink = self
        var next = arrivals.next()
        for end in course.ends {
            while true {
                let time = min(next.time, due.first?.time ?? .max)
                look(upTo: min(time, end))
                guard time < end else { break }
                if let first = due.first, first.time <= next.time {
                    due.removeFirst()
                    send(first)
                } else {
                    begin(next)
                    next = arrivals.next()
                }
            }
            director.replay.flush()
            try change(after: part)
            part += 1
        }
        row.meanImbalance = samples > 0 ? imbalances / Double(samples) : nil
        measureCost(at: course.end)
        return row
    }

    /// What happens at the end of a part.
    private func change(after part: UInt8) throws(SimulatedDirector.Trouble) {
        switch part {
        case 2: try director.add(load.weights.count, weight: load.added)
        case 3:
            try director.remove(0)
            removed = 0
        default: break
        }
    }

    // MARK: Frames

    private func begin(_ arrival: Arrivals.Arrival) {
        let connection = UInt64(servers.count)
        servers.append(Self.nobody)
        clients.append(UInt32(arrival.client))
        var frame = Due(
            time: arrival.time, connection: connection, step: Step.begin.rawValue,
            client: UInt32(arrival.client), clientPort: arrival.clientPort)
        send(frame)
        frame.time = arrival.time + Self.roundTrip
        frame.step = Step.confirm.rawValue
        due.insert(frame)
        frame.time = max(frame.time, arrival.end)
        frame.step = Step.end.rawValue
        due.insert(frame)
    }

    private func send(_ frame: Due) {
        let flags =
            switch Step(rawValue: frame.step) {
            case .begin: MadeSegment.syn
            case .end: MadeSegment.fin
            case .confirm, nil: MadeSegment.ack
            }
        director.replay.take(
            segment(frame.client, frame.clientPort, flags),
            packet: frame.connection * 4 + frame.step, at: frame.time, by: SimulatedDirector.port)
    }

    private func segment(_ client: UInt32, _ port: UInt16, _ flags: UInt8) -> MadeSegment {
        MadeSegment(
            client: director.client(client), clientPort: port,
            virtual: director.virtual, virtualPort: SimulatedDirector.virtualPort,
            flags: flags)
    }

    // MARK: What the director did

    func sent(_ frame: Frame, by port: PortIndex, at time: Int64, packet: UInt64?) {
        guard let packet, packet & 3 == Step.begin.rawValue,
            let server = SimulatedDirector.server(of: frame), server < open.count
        else { return }
        let connection = Int(packet / 4)
        servers[connection] = UInt16(server)
        open[server] += 1
        if part <= course.measuredParts, server < row.connections.count {
            row.connections[server] += 1
        }
        notice(Int(clients[connection]), at: server)
    }

    /// Counts clients that came in the part before this one as well, once each.
    private func notice(_ client: Int, at server: Int) {
        let last = Int(lastServer[client])
        if lastPart[client] != 0, lastPart[client] == part - 1, last != removed {
            let isMoved = last != server
            switch part {
            case 2: row.movesUnchanged.count(isMoved)
            case 3: row.movesAdded.count(isMoved)
            default: row.movesRemoved.count(isMoved)
            }
        }
        lastServer[client] = UInt16(server)
        lastPart[client] = part
    }

    // MARK: Measures

    /// Takes the samples that are due, up to a time before which nothing more is sent.
    private func look(upTo time: Int64) {
        guard min(nextSample, nextPoint) <= time else { return }
        director.replay.flush()
        while nextSample <= min(time, course.measuredEnd) {
            sample()
            nextSample += course.sampling
        }
        // Behind the last one minutes may pass without either.
        if nextSample > course.measuredEnd { nextSample = .max }
        while nextPoint <= time {
            row.times.append(nextPoint)
            for (index, server) in drawn.enumerated() { row.open[index].append(open[server]) }
            nextPoint += course.drawing
        }
    }

    /// Looks how evenly what is open lies on the servers.
    private func sample() {
        let weight = load.weights.reduce(0) { $0 + Int($1) }
        let all = zip(open, load.weights).reduce(0) { $0 + ($1.1 > 0 ? $1.0 : 0) }
        guard all > 0 else { return }
        let fullest = zip(open, load.weights).map { $1 > 0 ? Double($0) / Double($1) : 0 }.max()
        let imbalance = (fullest ?? 0) / (Double(all) / Double(weight))
        samples += 1
        imbalances += imbalance
        row.worstImbalance = max(row.worstImbalance ?? 0, imbalance)
    }

    /// How long bursts of connections of new clients take.
    private func measureCost(at time: Int64) {
        guard load.measuredBursts > 0 else { return }
        director.replay.sink = nil
        var costs: [UInt64] = []
        for number in 0..<load.measuredBursts {
            let first = UInt32(load.clientCount + number * Burst.capacity)
            let began = MonotonicClock.now()
            for client in first..<first + UInt32(Burst.capacity) {
                director.replay.take(
                    segment(client, 1024, MadeSegment.syn), packet: 0, at: time,
                    by: SimulatedDirector.port)
            }
            director.replay.flush()
            costs.append(MonotonicClock.now() - began)
        }
        let median = costs.sorted()[costs.count / 2]
        row.nanosecondsPerConnection = Double(median) / Double(Burst.capacity)
    }

    func decided(_ verdict: Verdict, packet: UInt64, at time: Int64) {
        let connection = Int(packet / 4)
        switch Step(rawValue: packet & 3) {
        case .begin:
            if verdict.kind != .send { row.refused += 1 }
        case .end:
            let server = servers[connection]
            if server != Self.nobody { open[Int(server)] -= 1 }
        case .confirm, nil: break
        }
    }
}

extension SimulationResult.Moves {
    fileprivate mutating func count(_ isMoved: Bool) {
        clients += 1
        if isMoved { moved += 1 }
    }
}
