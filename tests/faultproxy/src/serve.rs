//! One connection: requests go on to the upstream, and its answers come back with what a script does to them.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use crate::{
    Asked, Script,
    fault::{Act, Fault, Place},
    message::Message,
    wire::Wire,
};

/// How an exchange left its connection.
enum Left {
    /// Another may follow.
    Open(Wire, Pace),
    Ended,
}

/// Time before each byte, where they come one by one.
type Pace = Option<Duration>;

pub(crate) fn serve(mut client: Wire, upstream: SocketAddr, script: &dyn Script, connection: usize) -> io::Result<()> {
    if let Some(act) = script.accepted(connection) {
        return act_on(client, &[act]).map(drop);
    }
    let mut kept = None;
    for exchange in 0.. {
        let Some(request) = Message::head(&mut client)? else { break };
        let fault = script.asked(Asked { target: &request.word(1), connection, exchange });
        match one(client, request, &fault, upstream, &mut kept)? {
            Left::Open(wire, _) => client = wire,
            Left::Ended => break,
        }
    }
    Ok(())
}

/// One exchange. `kept` is the connection to the upstream, once there is one.
fn one(
    mut client: Wire,
    mut request: Message,
    fault: &Fault,
    upstream: SocketAddr,
    kept: &mut Option<Wire>,
) -> io::Result<Left> {
    if let Place::Request(bytes) = fault.place {
        let bytes = request.length().map_or(0, |length| length.min(bytes));
        request.more(&mut client, bytes)?;
        match act_on(client, &fault.acts)? {
            Left::Open(wire, _) => client = wire,
            Left::Ended => return Ok(Left::Ended),
        }
    }
    request.request_body(&mut client)?;
    let mut server = match kept.take() {
        Some(server) => server,
        None => Wire::over(TcpStream::connect(upstream)?)?,
    };
    server.write(&request.bytes)?;
    let mut answer = Message::head(&mut server)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    answer.answer_body(&mut server, &request.word(0))?;
    if !answer.until_close {
        *kept = Some(server);
    }
    play(client, &answer, fault)
}

/// Says an answer, with what happens to it.
fn play(mut client: Wire, answer: &Message, fault: &Fault) -> io::Result<Left> {
    let at = answer.offset(fault.place).unwrap_or(answer.bytes.len());
    let (before, after) = answer.bytes.split_at(at);
    let mut acts = if answer.offset(fault.place).is_some() { fault.acts.as_slice() } else { &[] };
    match acts {
        // In one breath, so that both are there at once.
        [Act::Say(bytes), rest @ ..] => {
            client.write(&[before, bytes].concat())?;
            acts = rest;
        }
        _ => client.write(before)?,
    }
    let (mut client, pace) = match act_on(client, acts)? {
        Left::Open(client, pace) => (client, pace),
        Left::Ended => return Ok(Left::Ended),
    };
    match pace {
        None => client.write(after)?,
        Some(time) => {
            for byte in after {
                thread::sleep(time);
                client.write(&[*byte])?;
            }
        }
    }
    match answer.until_close {
        true => client.close().map(|()| Left::Ended),
        false => Ok(Left::Open(client, None)),
    }
}

fn act_on(mut wire: Wire, acts: &[Act]) -> io::Result<Left> {
    let mut pace = None;
    for act in acts {
        match act {
            Act::Reset => {
                wire.reset();
                return Ok(Left::Ended);
            }
            Act::Close => return wire.close().map(|()| Left::Ended),
            Act::Hang => return wire.drain().map(|()| Left::Ended),
            Act::Wait(time) => thread::sleep(*time),
            Act::Trickle(time) => pace = Some(*time),
            Act::Say(bytes) => wire.write(bytes)?,
            Act::Flood(bytes) => loop {
                wire.write(bytes)?;
            },
        }
    }
    Ok(Left::Open(wire, pace))
}
