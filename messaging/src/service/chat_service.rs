//! `plasma.messaging.v1.ChatService`.

use plasma_kit::actor;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::chat_service_server;
use tonic::{Request, Response, Status};

use super::{block_chat, close_chat, get_chat, list_chats, open_chat, unblock_chat};
use crate::Messaging;

/// Chats of two users.
#[derive(Clone)]
pub struct ChatService {
    messaging: Messaging,
}

impl ChatService {
    /// The service over this context.
    pub fn new(messaging: Messaging) -> Self {
        Self { messaging }
    }
}

#[tonic::async_trait]
impl chat_service_server::ChatService for ChatService {
    async fn open_chat(
        &self,
        request: Request<pb::OpenChatRequest>,
    ) -> Result<Response<pb::OpenChatResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = open_chat::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn get_chat(
        &self,
        request: Request<pb::GetChatRequest>,
    ) -> Result<Response<pb::GetChatResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = get_chat::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn list_chats(
        &self,
        request: Request<pb::ListChatsRequest>,
    ) -> Result<Response<pb::ListChatsResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = list_chats::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn block_chat(
        &self,
        request: Request<pb::BlockChatRequest>,
    ) -> Result<Response<pb::BlockChatResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = block_chat::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn unblock_chat(
        &self,
        request: Request<pb::UnblockChatRequest>,
    ) -> Result<Response<pb::UnblockChatResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = unblock_chat::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn close_chat(
        &self,
        request: Request<pb::CloseChatRequest>,
    ) -> Result<Response<pb::CloseChatResponse>, Status> {
        let device = actor::device(&request)?;
        let answer = close_chat::handle(&self.messaging, device, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
