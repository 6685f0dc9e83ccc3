//! The gRPC services: one file for each RPC.

mod chat_change;
mod chat_service;
mod contract;
mod device_service;
mod key_service;
mod link_service;
mod link_target;
mod message_service;
mod refusals;
mod session_service;

mod acknowledge;
mod add_device;
mod block_chat;
mod close_chat;
mod count_prekeys;
mod create_challenge;
mod create_link;
mod create_session;
mod exchange_token;
mod get_account;
mod get_chat;
mod list_chats;
mod list_links;
mod open_chat;
mod publish_prekeys;
mod pull;
mod receive;
mod register_first_device;
mod resolve_link;
mod revoke_link;
mod send;
mod send_control;
mod sign_out;
mod take_prekey_bundles;
mod unblock_chat;

pub use chat_service::ChatService;
pub use device_service::DeviceService;
pub use key_service::KeyService;
pub use link_service::LinkService;
pub use message_service::MessageService;
pub use session_service::SessionService;
