//! ListGroups, DescribeGroups, JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use kafka_protocol::messages::{
    DescribeGroupsRequest, GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::super::coordinator::{JoinCall, Joined};
use super::super::group::{Group, GroupState};
use super::super::journal::Observed;
use super::super::state::State;
use super::{
    Context, Handled, Head, Outcome, Pending, PendingRequest, Waiting, check_coordinator, code,
    reply, text,
};
use crate::sometimes;

pub fn list_groups(
    state: &mut State,
    context: &Context<'_>,
    request: ListGroupsRequest,
) -> Handled {
    let wanted = |filter: &[StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let broker = context.broker;
    if state.loads_groups(broker) {
        let error = ResponseError::CoordinatorLoadInProgress.code();
        return reply(context.head, &ListGroupsResponse::default().with_error_code(error));
    }
    let groups = state
        .groups
        .values()
        .filter(|group| state.parts[group.coordinator].leader == broker)
        .filter(|group| wanted(&request.states_filter, group.state.as_str()))
        .filter(|_| wanted(&request.types_filter, "classic"))
        .map(|group| {
            ListedGroup::default()
                .with_group_id(GroupId(text(&group.name)))
                .with_protocol_type(text(&group.protocol_type))
                .with_group_state(StrBytes::from_static_str(group.state.as_str()))
                .with_group_type(StrBytes::from_static_str("classic"))
        })
        .collect();
    state.observe(broker, &context.head.client_id, |state| Observed::Groups {
        described: false,
        groups: state.group_truths(broker, None),
    });
    reply(context.head, &ListGroupsResponse::default().with_groups(groups))
}

pub fn describe_groups(
    state: &mut State,
    context: &Context<'_>,
    request: DescribeGroupsRequest,
) -> Handled {
    let broker = context.broker;
    let names: Vec<Arc<str>> =
        request.groups.iter().map(|group| Arc::from(group.as_str())).collect();
    let groups = request
        .groups
        .into_iter()
        .map(|id| match check_coordinator(state, broker, &id) {
            Err(error) => DescribedGroup::default().with_error_code(error.code()).with_group_id(id),
            Ok(()) => describe_group(state, id, context.head.version),
        })
        .collect();
    state.observe(broker, &context.head.client_id, |state| Observed::Groups {
        described: true,
        groups: state.group_truths(broker, Some(&names)),
    });
    reply(context.head, &DescribeGroupsResponse::default().with_groups(groups))
}

fn describe_group(state: &State, id: GroupId, version: i16) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_id(id);
    let Some(group) = state.groups.get(described.group_id.as_str()) else {
        let dead = StrBytes::from_static_str(GroupState::Dead.as_str());
        let described = described.with_group_state(dead);
        if version < 6 {
            return described;
        }
        let error = ResponseError::GroupIdNotFound.code();
        return described
            .with_error_code(error)
            .with_error_message(Some(text("the group does not exist")));
    };
    let stable = group.state == GroupState::Stable;
    sometimes!(GROUP_REBALANCING, !stable && !group.members.is_empty());
    let members = group
        .members
        .iter()
        .map(|(id, member)| {
            let chosen = member.protocols.iter().find(|(name, _)| *name == group.protocol);
            let described = DescribedGroupMember::default()
                .with_member_id(text(id))
                .with_client_id(text(&member.client_id))
                .with_client_host(text(&member.client_host));
            let described = if version >= 4 {
                described.with_group_instance_id(member.instance_id.as_deref().map(text))
            } else {
                described
            };
            if !stable {
                return described;
            }
            described
                .with_member_metadata(chosen.map(|(_, data)| data.clone()).unwrap_or_default())
                .with_member_assignment(member.assignment.clone())
        })
        .collect();
    described
        .with_group_state(StrBytes::from_static_str(group.state.as_str()))
        .with_protocol_type(text(&group.protocol_type))
        .with_protocol_data(text(&group.protocol_in_force()))
        .with_members(members)
}

pub fn join_group(state: &mut State, context: &Context<'_>, request: JoinGroupRequest) -> Handled {
    let head = context.head;
    let member: Arc<str> = Arc::from(request.member_id.as_str());
    if let Err(error) = check_coordinator(state, context.broker, &request.group_id) {
        return refuse_join(head, error, &member);
    }
    // Version 0 has no rebalance time-out: the session's stands for it.
    let rebalance_timeout_ms =
        if head.version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms };
    let call = JoinCall {
        group: Arc::from(request.group_id.as_str()),
        member: Arc::clone(&member),
        instance_id: request.group_instance_id.as_deref().map(Arc::from),
        client_id: Arc::from(head.client_id.as_str()),
        client_host: Arc::clone(context.client_host),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms,
        protocol_type: Arc::from(request.protocol_type.as_str()),
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| (Arc::from(protocol.name.as_str()), protocol.metadata))
            .collect(),
        id_required: head.version >= 4,
    };
    let group = Arc::clone(&call.group);
    match state.join(call) {
        Err((error, member)) => refuse_join(head, error, &member),
        Ok(member) => await_join(state, context, group, member),
    }
}

fn refuse_join(head: &Head, error: ResponseError, member: &str) -> Handled {
    let response = JoinGroupResponse::default()
        .with_error_code(error.code())
        .with_member_id(text(member))
        // Null only from version 7 on.
        .with_protocol_name(Some(StrBytes::new()));
    reply(head, &response)
}

/// Answers a join whose rebalance is over, or waits on.
pub fn await_join(
    state: &State,
    context: &Context<'_>,
    group: Arc<str>,
    member: Arc<str>,
) -> Handled {
    if let Err(error) = check_coordinator(state, context.broker, &group) {
        return refuse_join(context.head, error, &member);
    }
    match state.joined(&group, &member) {
        None => {
            let wake_at = state.group_deadline(&group);
            wait(context, Waiting::Join { group, member }, wake_at)
        }
        Some(Err(error)) => refuse_join(context.head, error, &member),
        Some(Ok(joined)) => reply(context.head, &join_response(joined, &member, context.head)),
    }
}

fn join_response(joined: Joined, member: &str, head: &Head) -> JoinGroupResponse {
    let members = joined
        .members
        .into_iter()
        .map(|(id, instance, metadata)| {
            let answer = JoinGroupResponseMember::default()
                .with_member_id(text(&id))
                .with_metadata(metadata);
            match instance {
                Some(instance) if head.version >= 5 => {
                    answer.with_group_instance_id(Some(text(&instance)))
                }
                _ => answer,
            }
        })
        .collect();
    let response = JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_name(Some(text(&joined.protocol)))
        .with_leader(text(&joined.leader))
        .with_member_id(text(member))
        .with_members(members);
    if head.version >= 7 {
        response.with_protocol_type(Some(text(&joined.protocol_type)))
    } else {
        response
    }
}

fn wait(context: &Context<'_>, kind: Waiting, wake_at: crate::sim::time::SimTime) -> Handled {
    let request = PendingRequest { head: context.head.clone(), kind };
    Ok(Outcome::Wait(Box::new(Pending { request, wake_at })))
}

pub fn sync_group(state: &mut State, context: &Context<'_>, request: SyncGroupRequest) -> Handled {
    let group: Arc<str> = Arc::from(request.group_id.as_str());
    let member: Arc<str> = Arc::from(request.member_id.as_str());
    let generation = request.generation_id;
    let assignments: BTreeMap<Arc<str>, Bytes> = request
        .assignments
        .into_iter()
        .map(|assignment| (Arc::from(assignment.member_id.as_str()), assignment.assignment))
        .collect();
    let consistent = state.groups.get(&group).is_none_or(|known: &Group| {
        let same = |asked: &Option<StrBytes>, known: &str| {
            asked.as_deref().is_none_or(|asked| asked == known)
        };
        same(&request.protocol_type, &known.protocol_type)
            && same(&request.protocol_name, &known.protocol)
    });
    let synced = check_coordinator(state, context.broker, &group)
        .and_then(|()| state.sync(&group, &member, generation, assignments))
        .and_then(|()| consistent.then_some(()).ok_or(ResponseError::InconsistentGroupProtocol));
    match synced {
        Ok(()) => await_sync(state, context, group, member, generation),
        Err(error) => refuse_sync(context.head, error),
    }
}

fn refuse_sync(head: &Head, error: ResponseError) -> Handled {
    reply(head, &SyncGroupResponse::default().with_error_code(error.code()))
}

/// Answers a sync whose leader has spoken, or waits on.
pub fn await_sync(
    state: &State,
    context: &Context<'_>,
    group: Arc<str>,
    member: Arc<str>,
    generation: i32,
) -> Handled {
    if let Err(error) = check_coordinator(state, context.broker, &group) {
        return refuse_sync(context.head, error);
    }
    match state.synced(&group, &member, generation) {
        None => {
            let wake_at = state.group_deadline(&group);
            wait(context, Waiting::Sync { group, member, generation }, wake_at)
        }
        Some(Err(error)) => refuse_sync(context.head, error),
        Some(Ok((protocol_type, protocol, assignment))) => {
            let response = SyncGroupResponse::default().with_assignment(assignment);
            let response = if context.head.version >= 5 {
                response
                    .with_protocol_type(Some(text(&protocol_type)))
                    .with_protocol_name(Some(text(&protocol)))
            } else {
                response
            };
            reply(context.head, &response)
        }
    }
}

pub fn heartbeat(state: &mut State, context: &Context<'_>, request: HeartbeatRequest) -> Handled {
    let result = check_coordinator(state, context.broker, &request.group_id).and_then(|()| {
        state.heartbeat(&request.group_id, &request.member_id, request.generation_id)
    });
    reply(context.head, &HeartbeatResponse::default().with_error_code(code(&result)))
}

pub fn leave_group(
    state: &mut State,
    context: &Context<'_>,
    request: LeaveGroupRequest,
) -> Handled {
    let group: Arc<str> = Arc::from(request.group_id.as_str());
    let checked = check_coordinator(state, context.broker, &group);
    if context.head.version < 3 {
        let left = checked.and_then(|()| state.leave(&group, &request.member_id, None));
        return reply(context.head, &LeaveGroupResponse::default().with_error_code(code(&left)));
    }
    let error = code(&checked);
    let mut members = Vec::new();
    if error == 0 {
        for member in request.members {
            let instance = member.group_instance_id.as_deref();
            let left = state.leave(&group, &member.member_id, instance);
            members.push(
                MemberResponse::default()
                    .with_error_code(code(&left))
                    .with_group_instance_id(member.group_instance_id)
                    .with_member_id(member.member_id),
            );
        }
    }
    let response = LeaveGroupResponse::default().with_error_code(error).with_members(members);
    reply(context.head, &response)
}
